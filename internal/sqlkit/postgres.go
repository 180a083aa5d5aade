package sqlkit

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// errBadURL does not say where: the text around the place may be a password.
var errBadURL = errors.New("database URL: it cannot be read; characters such as @ : / # ? in a user name or password are written as %40 %3A %2F %23 %3F; " + allowedURLs)

// serverURL reads the URL of a server. name is what errors may show of it.
func serverURL(text string) (parsed *url.URL, name string, err error) {
	parsed, err = url.Parse(text)
	if err != nil || parsed.Opaque != "" {
		return nil, "", errBadURL
	}
	shown := url.URL{Scheme: parsed.Scheme, Host: parsed.Host, Path: parsed.Path}
	return parsed, shown.String(), nil
}

func openPostgres(ctx context.Context, text string) (*DB, error) {
	_, name, err := serverURL(text)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(text)
	if err != nil {
		// Its text repeats the URL; what it wraps says what is wrong.
		for errors.Unwrap(err) != nil {
			err = errors.Unwrap(err)
		}
		return nil, errors.Join(errBadURL, err)
	}
	return openServer(ctx, Postgres, name, func(patient bool) (*sql.DB, error) {
		return stdlib.OpenDB(*postgresConfig(config, patient), stdlib.OptionResetSession(stillOpen)), nil
	})
}

// stillOpen is asked before a connection is used again: what a server has
// closed, when it was started anew for example, is no error of a statement.
func stillOpen(_ context.Context, conn *pgx.Conn) error {
	socket := conn.PgConn().Conn()
	if secure, ok := socket.(*tls.Conn); ok {
		socket = secure.NetConn()
	}
	if prompt, ok := socket.(*promptConn); ok {
		socket = prompt.Conn
	}
	if closedByPeer(socket) {
		return driver.ErrBadConn
	}
	return nil
}

// postgresConfig completes what the URL leaves open.
func postgresConfig(given *pgx.ConnConfig, patient bool) *pgx.ConnConfig {
	config := given.Copy()
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	settings := config.RuntimeParams
	if settings["application_name"] == "" {
		settings["application_name"] = "jobcenter"
	}
	settings["default_transaction_isolation"] = "read committed"
	if !patient {
		settings["lock_timeout"] = milliseconds(lockTimeout)
		settings["idle_in_transaction_session_timeout"] = milliseconds(abandoned)
	}
	dial := (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil || patient {
			return conn, err
		}
		return &promptConn{Conn: conn}, nil
	}
	return config
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// promptConn is a connection on which no read or write waits for longer than
// answerTimeout. pgx has no such bound of its own; its deadlines, by which it
// ends what a context ends, hold as well.
type promptConn struct {
	net.Conn
	mu          sync.Mutex
	read, write time.Time // the deadlines that pgx set
}

// Read implements net.Conn.
func (c *promptConn) Read(p []byte) (int, error) {
	if err := c.begin(c.Conn.SetReadDeadline, &c.read); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements net.Conn.
func (c *promptConn) Write(p []byte) (int, error) {
	if err := c.begin(c.Conn.SetWriteDeadline, &c.write); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// begin sets the deadline of what begins, unless an earlier one was given.
func (c *promptConn) begin(set func(time.Time) error, given *time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	deadline := time.Now().Add(answerTimeout)
	if !given.IsZero() && given.Before(deadline) {
		deadline = *given
	}
	return set(deadline)
}

// SetDeadline implements net.Conn.
func (c *promptConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read, c.write = t, t
	return c.Conn.SetDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *promptConn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = t
	return c.Conn.SetReadDeadline(t)
}

// SetWriteDeadline implements net.Conn.
func (c *promptConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write = t
	return c.Conn.SetWriteDeadline(t)
}
