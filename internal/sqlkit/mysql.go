package sqlkit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/go-sql-driver/mysql"
)

func openMySQL(ctx context.Context, text string) (*DB, error) {
	parsed, name, err := serverURL(text)
	if err != nil {
		return nil, err
	}
	config, err := mysqlConfig(parsed)
	if err != nil {
		return nil, err
	}
	return openServer(ctx, MySQL, name, func(patient bool) (*sql.DB, error) {
		config := config.Clone()
		if patient {
			config.ReadTimeout, config.WriteTimeout = 0, 0
		}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, errBadURL
		}
		return sql.OpenDB(mysqlConnector{connector, mysqlSession(patient)}), nil
	})
}

// mysqlConfig translates a URL.
func mysqlConfig(u *url.URL) (*mysql.Config, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr = "tcp", net.JoinHostPort(u.Hostname(), u.Port())
	if u.Port() == "" {
		config.Addr = net.JoinHostPort(u.Hostname(), "3306")
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	// Texts compare byte by byte, as they do in Go.
	config.Collation = "utf8mb4_bin"
	config.Timeout, config.ReadTimeout, config.WriteTimeout = connectTimeout, answerTimeout, answerTimeout
	config.Logger = &mysql.NopLogger{}
	switch {
	case config.DBName == "" || strings.Contains(config.DBName, "/"):
		return nil, fmt.Errorf("database URL: %s: the name of the database is missing, %s", u.Scheme, allowedURLs)
	case u.Fragment != "":
		return nil, errBadURL
	}
	parameters, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errBadURL
	}
	for _, key := range slices.Sorted(maps.Keys(parameters)) {
		value := parameters.Get(key)
		switch key {
		case "tls":
			if !slices.Contains([]string{"true", "false", "skip-verify", "preferred"}, value) {
				return nil, fmt.Errorf("database URL: %s: tls=%s, allowed: true, false, skip-verify, preferred", u.Scheme, value)
			}
			config.TLSConfig = value
		case "socket":
			config.Net, config.Addr = "unix", value
		default:
			return nil, fmt.Errorf("database URL: %s: unknown parameter %q, allowed: tls, socket", u.Scheme, key)
		}
	}
	if config.Net == "tcp" && u.Hostname() == "" {
		return nil, fmt.Errorf("database URL: %s: the host is missing, %s", u.Scheme, allowedURLs)
	}
	return config, nil
}

// mysqlSession are the statements that make a session the same whatever the
// server's settings: no value is cut short in silence, and a transaction sees
// what was committed before each of its statements.
func mysqlSession(patient bool) []string {
	session := []string{
		"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
		"SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
	}
	if !patient {
		session = append(session, fmt.Sprintf("SET SESSION innodb_lock_wait_timeout = %d, SESSION wait_timeout = %d", int(lockTimeout.Seconds()), int(abandoned.Seconds())))
	}
	return session
}

// mysqlConnector prepares the session of each connection.
type mysqlConnector struct {
	driver.Connector
	session []string
}

// Connect implements driver.Connector.
func (c mysqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	for _, statement := range c.session {
		if _, err := conn.(driver.ExecerContext).ExecContext(ctx, statement, nil); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", statement, err), conn.Close())
		}
	}
	return conn, nil
}
