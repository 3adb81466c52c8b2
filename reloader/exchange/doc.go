// Package exchange is the contract of the exchange directory: the file names,
// the header of frr.conf, and how files get in and out without anybody ever
// seeing half of one.
//
// The agent writes frr.conf, the reloader writes report.json, each by rename.
// Both run with one UID; frr.conf holds passwords and has mode 0600.
package exchange
