package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// storage is where a server keeps things: flags that several commands share.
type storage struct {
	Data     string `env:"JOBCENTER_DATA" default:"./data" help:"Folder of this server's files, made if need be; by default ${default}." placeholder:"DIR"`
	Database string `env:"JOBCENTER_DATABASE" help:"Database URL, such as sqlite:/var/lib/jobcenter/jobcenter.db. Left out: jobcenter.db in the data folder." placeholder:"URL"`
}

// makeData makes the data folder.
func (s *storage) makeData() error {
	if s.Data == "" {
		return errors.New("--data is empty, allowed: the path of a folder")
	}
	if err := os.MkdirAll(s.Data, 0o700); err != nil {
		return fmt.Errorf("data folder %s cannot be made: %w; choose another with --data", s.Data, cause(err))
	}
	return nil
}

// open opens the database.
func (s *storage) open(ctx context.Context) (*sqlkit.DB, error) {
	url := s.Database
	if url == "" {
		url = "sqlite:" + filepath.Join(s.Data, "jobcenter.db")
	}
	return sqlkit.Open(ctx, url)
}

// lockData makes sure that no other server uses the data folder, and that it
// can be written. The lock ends with the process at the latest; but a child
// that a killed server was just about to start holds it a moment longer, so a
// lock that is taken is tried again for a while.
func (s *storage) lockData(ctx context.Context) (unlock func(), err error) {
	path := filepath.Join(s.Data, "lock")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data folder %s cannot be written: %w; choose another with --data", s.Data, cause(err))
	}
	err = lockFile(file)
	for try := 0; errors.Is(err, errLocked) && try < 20; try++ {
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		err = lockFile(file)
	}
	if err != nil {
		_ = file.Close()
		if errors.Is(err, errLocked) {
			return nil, fmt.Errorf("data folder %s is in use by another JobCenter server; stop it, or choose another folder with --data", s.Data)
		}
		return nil, fmt.Errorf("data folder %s cannot be locked: %w", s.Data, err)
	}
	return func() { _ = file.Close() }, nil
}

// errLocked: another process holds the lock.
var errLocked = errors.New("locked")

// nodeName returns the name of this server among those that share the
// database. It stays the same from start to start, so that the server knows
// the runs that it had begun when it died.
func (s *storage) nodeName() (string, error) {
	path := filepath.Join(s.Data, "node-id")
	text, err := os.ReadFile(path)
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the node's name: %w", err)
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	random := make([]byte, 4)
	_, _ = rand.Read(random) // never fails
	name := host + "-" + hex.EncodeToString(random)
	if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep the node's name: %w", err)
	}
	return name, nil
}

// cause leaves the path out of an error of package os: it has been named.
func cause(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}
