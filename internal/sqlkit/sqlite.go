package sqlkit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite" // the driver "sqlite", in pure Go
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// sqliteReaders is how many connections read at once. Each may hold 4 MB
	// of pages, the writer 16 MB.
	sqliteReaders = 4
	// sqliteIdleReaders stay open between requests.
	sqliteIdleReaders = 2
	// sqliteReaderIdle is for how long an idle reader keeps its cache.
	sqliteReaderIdle = time.Minute
)

// sqlitePath reads what follows "sqlite:" in a URL.
func sqlitePath(rest string) (string, error) {
	if strings.ContainsAny(rest, "?#") {
		return "", fmt.Errorf("database URL: sqlite:%s: parameters are not supported, %s", rest, allowedURLs)
	}
	path, ok := strings.CutPrefix(rest, "//")
	if ok && !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("database URL: sqlite:%s: a host is not supported, allowed: sqlite:PATH or sqlite:///ABSOLUTE/PATH", rest)
	}
	return path, nil
}

// openSQLite opens a database file.
func openSQLite(ctx context.Context, path string) (*DB, error) {
	switch path {
	case "":
		return nil, fmt.Errorf("database URL: the path is empty, %s", allowedURLs)
	case ":memory:":
		return nil, errors.New("database URL: a database in memory is not supported; use jobcenter's memory store")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := createPrivate(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db := &DB{Dialect: SQLite}
	// WAL lets readers go on beside the writer; FULL makes every commit
	// survive a loss of power. The journal goes back into the database each
	// 16 MiB, so that a batch of 1,000 jobs does not wait for that each time.
	db.Write, err = sql.Open("sqlite", sqliteDSN(path, "_txlock=immediate", "_pragma=cache_size(-16000)",
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)",
		"_pragma=wal_autocheckpoint(4096)", "_pragma=journal_size_limit(67108864)"))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.Write.SetMaxOpenConns(1)
	db.Read, err = sql.Open("sqlite", sqliteDSN(path, "_pragma=cache_size(-4000)", "_pragma=query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Write.Close())
	}
	db.Read.SetMaxOpenConns(sqliteReaders)
	db.Read.SetMaxIdleConns(sqliteIdleReaders)
	db.Read.SetConnMaxIdleTime(sqliteReaderIdle)
	// The writer first: it makes the file a WAL database.
	for _, pool := range []*sql.DB{db.Write, db.Read} {
		if err := pingSQLite(ctx, pool); err != nil {
			return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
		}
	}
	return db, nil
}

// pingSQLite opens a first connection. While others make a new file a WAL
// database, that can fail without a wait, so it is tried a few times.
func pingSQLite(ctx context.Context, pool *sql.DB) (err error) {
	for try := range 10 {
		if err = pool.PingContext(ctx); err == nil || !isBusy(err) {
			return err
		}
		pause := time.NewTimer(time.Duration(try+1) * 10 * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			return err
		case <-pause.C:
		}
	}
	return err
}

// isBusy reports whether another connection had locked the file.
func isBusy(err error) bool {
	found, ok := errors.AsType[*sqlite.Error](err)
	return ok && found.Code()&0xff == sqlite3.SQLITE_BUSY
}

// sqliteDSN writes the driver's name of a file with the settings that all
// connections share and those given.
func sqliteDSN(path string, settings ...string) string {
	all := append([]string{"_pragma=busy_timeout(10000)"}, settings...)
	name := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: strings.Join(all, "&")}
	return name.String()
}

// createPrivate makes an empty file of mode 0600 where there is none yet;
// SQLite gives the files that it puts beside it the same mode.
func createPrivate(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		// Opened once so that a file that cannot be used is named by its
		// own error and not by a code of SQLite's.
		file, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return err
	}
	return file.Close()
}
