// Package docs tests what the documentation tells people to type: the commands of
// docs/getting-started.md are run as they stand on the lab that `make demo` leaves
// up, and the routers' configurations of docs/routers.md are read by the real
// daemons.
package docs
