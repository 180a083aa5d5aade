// Command ferret runs a small server that speaks MongoDB's protocol, for the
// tests of package mongostore where no MongoDB is at hand: FerretDB 1 on
// SQLite. It lives in a module of its own, so that nobody else depends on it.
//
//	ferret -data FOLDER [-listen ADDRESS]
//
// It listens on a free port of 127.0.0.1 unless it is told otherwise, prints
// its address as a line, and ends when its standard input does, and so with the
// tests however they end. SIGTERM ends it in good order. It may be killed at
// any time and started again: what it has answered is there then, unless the
// machine fails as well.
//
// FerretDB reads, decides and writes an update in three steps that nothing
// holds together, while MongoDB promises that a change of one document is
// atomic. So clients are connected through a proxy that lets one command that
// writes to a database pass at a time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	data := flag.String("data", "", "the folder of the data")
	listen := flag.String("listen", "127.0.0.1:0", "the address to listen on")
	flag.Parse()
	if err := serve(*data, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "ferret:", err)
		os.Exit(1)
	}
}

func serve(data, listen string) error {
	if data == "" {
		return errors.New("-data is missing")
	}
	inner := filepath.Join(data, "socket")
	if err := os.Remove(inner); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by one that was killed
		return err
	}
	// What was written is the system's by then, and outlives the process.
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{Unix: inner},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		Handler:   "sqlite",
		SQLiteURL: "file:" + data + "/?_pragma=synchronous(off)",
	})
	if err != nil {
		return err
	}
	ctx, end := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer end()
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	server.MongoDBURI() // returns once it listens

	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	go func() { ended <- newProxy(inner, data).serve(ctx, listener) }()
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	fmt.Printf("mongodb://%s/\n", listener.Addr())
	return <-ended
}
