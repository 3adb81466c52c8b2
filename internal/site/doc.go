// Command site makes a browsable site of docs/: static pages that need no server and
// no script, with the list of docs/README.md as their navigation (make docs). Its test
// follows every link: to pages, to headings, to files. It is a module of its own, so
// that Herald's needs no Markdown.
package main
