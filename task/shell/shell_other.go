//go:build !unix

// Package shell is the task that runs a command with /bin/sh. It needs a Unix.
package shell
