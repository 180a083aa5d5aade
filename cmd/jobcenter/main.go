// Command jobcenter is the JobCenter server and what goes with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	_ "time/tzdata" // a machine need not have zone files

	"github.com/alecthomas/kong"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// cli is the command line: a field a command.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the server."`
	Token   tokenCmd   `cmd:"" help:"Manage API tokens."`
	Next    nextCmd    `cmd:"" help:"Print the next fire times of triggers."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// stdio is what a command reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// run carries out a command line and returns the exit code: 0, 1 if the
// command failed, 2 if the command line is wrong.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c,
		kong.Name("jobcenter"),
		kong.Description("JobCenter schedules commands, watches them run and keeps their output."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(stdio{stdin, stdout, stderr}),
	)
	if err != nil {
		return fail(stderr, err)
	}
	command, err := parser.Parse(args)
	if exit >= 0 { // help was asked for and has been printed
		return exit
	}
	if err != nil {
		fail(stderr, err)
		fmt.Fprintln(stderr, "Run jobcenter --help for how to use it.")
		return 2
	}
	if err := command.Run(); err != nil {
		return fail(stderr, err)
	}
	return 0
}

// fail prints an error, a line for each that was joined.
func fail(stderr io.Writer, err error) int {
	if !errors.Is(err, errReported) {
		fmt.Fprintf(stderr, "jobcenter: %v\n", err)
	}
	return 1
}

// errReported ends a command whose errors were printed already.
var errReported = errors.New("reported")
