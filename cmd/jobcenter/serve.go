package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/api"
	"github.com/jobcenter-go/jobcenter/internal/service"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
	"github.com/jobcenter-go/jobcenter/task/shell"
	"github.com/jobcenter-go/jobcenter/web"
)

// httpGrace is how long requests may take to end once the server stops.
const httpGrace = 5 * time.Second

type serveCmd struct {
	storage
	Listen      string        `env:"JOBCENTER_LISTEN" default:"127.0.0.1:8080" help:"Address to serve on; by default ${default}." placeholder:"HOST:PORT"`
	StopGrace   time.Duration `env:"JOBCENTER_STOP_GRACE" default:"30s" help:"How long running jobs may go on when the server stops; 0 ends them at once."`
	PoolSize    int           `env:"JOBCENTER_POOL_SIZE" default:"20" help:"How many runs at once."`
	OutputLimit byteSize      `env:"JOBCENTER_OUTPUT_LIMIT" default:"10MiB" help:"How much output is kept of a run: its beginning and its end."`
	Node        string        `env:"JOBCENTER_NODE" help:"Name of this server among those that share the database. Left out: one is made and kept in the data folder."`
	Timezone    zone          `env:"JOBCENTER_TIMEZONE" default:"UTC" help:"Time zone of triggers that name none."`
	LogFormat   string        `env:"JOBCENTER_LOG_FORMAT" default:"text" enum:"text,json" help:"Form of the log: text or json."`
}

// byteSize is a number of bytes, given as such or as text like 10MiB.
type byteSize int64

// UnmarshalText reads a size above zero.
func (b *byteSize) UnmarshalText(text []byte) error {
	n, err := humanize.ParseBytes(string(text))
	if err != nil || n < 1 || n > 1<<40 {
		return fmt.Errorf("%q is not a size, allowed: bytes, or such as 512KiB, 10MiB, 1GiB; up to 1TiB", text)
	}
	*b = byteSize(n)
	return nil
}

// zone is a time zone by its IANA name.
type zone struct{ *time.Location }

// UnmarshalText loads a time zone.
func (z *zone) UnmarshalText(text []byte) error {
	location, err := time.LoadLocation(string(text))
	if err != nil || len(text) == 0 || string(text) == "Local" {
		return fmt.Errorf("%q is not a time zone, allowed: IANA names such as Asia/Shanghai, or UTC", text)
	}
	z.Location = location
	return nil
}

// firstAdmin is who is to be the first user, from the environment.
type firstAdmin struct{ email, password string }

// takeFirstAdmin reads the first admin from the environment and wipes from it
// what no other part of the program is to see.
func takeFirstAdmin() (firstAdmin, error) {
	const emailKey, passwordKey = "JOBCENTER_ADMIN_EMAIL", "JOBCENTER_ADMIN_PASSWORD"
	admin := firstAdmin{os.Getenv(emailKey), os.Getenv(passwordKey)}
	for _, key := range []string{emailKey, passwordKey, "JOBCENTER_DATABASE"} {
		if err := os.Unsetenv(key); err != nil {
			return firstAdmin{}, err
		}
	}
	if (admin.email == "") != (admin.password == "") {
		return firstAdmin{}, fmt.Errorf("%s and %s must be set both or neither", emailKey, passwordKey)
	}
	return admin, nil
}

// check refuses flags that kong lets pass.
func (c *serveCmd) check() error {
	switch {
	case c.PoolSize < 1 || c.PoolSize > 10_000:
		return fmt.Errorf("--pool-size is %d, allowed: 1 to 10000", c.PoolSize)
	case c.StopGrace < 0:
		return fmt.Errorf("--stop-grace is %s, allowed: 0 or more", c.StopGrace)
	default:
		return nil
	}
}

// Run serves until a signal or the end of ctx, then stops in good order; a
// second signal ends the process at once.
func (c *serveCmd) Run(ctx context.Context, io stdio) error {
	admin, err := takeFirstAdmin()
	if err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()

	// First of all, so that a second server ends before it has touched anything.
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return listenError(c.Listen, err)
	}
	defer func() { _ = listener.Close() }() // closed by the HTTP server, if that came to be
	if err := c.makeData(); err != nil {
		return err
	}
	unlock, err := c.lockData(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	return errors.Join(c.serve(ctx, stop, io, listener, db, admin), db.Close())
}

// serve puts the parts together over an open database and runs them.
func (c *serveCmd) serve(ctx context.Context, stop func(), io stdio, listener net.Listener, db *sqlkit.DB, admin firstAdmin) error {
	log := c.logger(io.err)
	accounts, err := account.New(ctx, db)
	if err != nil {
		return err
	}
	store, err := sqlstore.New(ctx, db, sqlstore.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }() // its statements; the database has its own end
	url := "http://" + visible(listener.Addr())
	if err := greet(ctx, accounts, admin, url, io.out); err != nil {
		return err
	}
	sched, node, err := c.scheduler(store, log)
	if err != nil {
		return err
	}
	files, err := web.FS()
	if err != nil {
		return err
	}
	page, err := web.Index()
	if err != nil {
		return err
	}
	closing := make(chan struct{})
	handler, err := api.New(api.Options{
		Service:  service.New(service.Options{Scheduler: sched, Zone: c.Timezone.Location, Version: programVersion(), Node: node}),
		Accounts: accounts, Console: api.Console(files, page),
		Stopping: ctx.Done(), Closing: closing, Logger: log, Version: programVersion(),
	})
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: handler, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		// How long an answer may take is set by the handler, as streams have no end.
	}
	return operate(ctx, stop, sched, server, listener, closing, func() {
		fmt.Fprintf(io.out, "JobCenter is ready at %s\n", url)
	})
}

// operate runs the scheduler and the HTTP server until ctx ends or the server
// fails. Then jobs have their grace while the console can still be watched,
// event streams end, and at last the HTTP server.
func operate(ctx context.Context, stop func(), sched *jobcenter.Scheduler, server *http.Server, listener net.Listener, closing chan struct{}, ready func()) error {
	runCtx, stopRuns := context.WithCancel(ctx)
	defer stopRuns()
	fired := make(chan error, 1)
	go func() { fired <- sched.Run(runCtx) }()
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ready()

	var serveErr error
	select {
	case <-ctx.Done():
		stop() // from here on a signal has its usual effect
	case serveErr = <-served:
	case err := <-fired: // it ends by itself only if something is very wrong
		fired <- err
	}
	stopRuns()
	runErr := <-fired
	close(closing)
	shutdown, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpGrace)
	defer cancel()
	if server.Shutdown(shutdown) != nil {
		_ = server.Close() // requests that did not end in time
	}
	if errors.Is(serveErr, http.ErrServerClosed) {
		serveErr = nil
	}
	return errors.Join(serveErr, runErr)
}

// scheduler makes the scheduler and returns it with the node's name.
func (c *serveCmd) scheduler(store jobcenter.JobStore, log *slog.Logger) (*jobcenter.Scheduler, string, error) {
	node := c.Node
	if node == "" {
		var err error
		if node, err = c.nodeName(); err != nil {
			return nil, "", err
		}
	}
	task, err := shell.New(shell.Options{Dir: filepath.Join(c.Data, "shell")})
	if err != nil {
		return nil, "", err
	}
	pool, err := jobcenter.NewPool(c.PoolSize)
	if err != nil {
		return nil, "", err
	}
	grace := c.StopGrace
	if grace == 0 {
		grace = -1 // which the scheduler calls none at all
	}
	sched, err := jobcenter.New(jobcenter.Options{
		Store: store, Tasks: map[string]jobcenter.Task{"shell": task},
		Executors: map[string]jobcenter.Executor{jobcenter.DefaultExecutor: pool},
		Node:      node, StopGrace: grace, OutputLimit: int64(c.OutputLimit), Logger: log,
	})
	return sched, node, err
}

// greet sees to it that there is a first user, or a way to set one up.
func greet(ctx context.Context, accounts *account.Accounts, admin firstAdmin, url string, out io.Writer) error {
	needed, err := accounts.NeedsSetup(ctx)
	if err != nil || !needed {
		return err
	}
	if admin.email != "" {
		_, err := accounts.AddFirstUser(ctx, account.NewUser{Email: admin.email, Password: admin.password, Role: account.Admin})
		if errors.Is(err, account.ErrSetupDone) {
			return nil
		}
		if invalid, ok := errors.AsType[*account.InvalidError](err); ok {
			return fmt.Errorf("the first admin cannot be made: JOBCENTER_ADMIN_EMAIL or JOBCENTER_ADMIN_PASSWORD: %w", invalid)
		}
		return err
	}
	token, err := accounts.NewSetupToken(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "There is no user yet. Set up the first one at %s/setup#token=%s\n", url, token)
	return err
}

func (c *serveCmd) logger(out io.Writer) *slog.Logger {
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(out, nil))
	}
	return slog.New(slog.NewTextHandler(out, nil))
}

func listenError(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use by another program; choose another address with --listen", addr)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err
	}
	return fmt.Errorf("cannot listen on %q: %w; allowed: HOST:PORT", addr, err)
}

// visible is the address under which a browser on this machine reaches the server.
func visible(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return addr.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(tcp.Port))
}
