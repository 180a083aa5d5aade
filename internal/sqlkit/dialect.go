package sqlkit

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
)

// Dialect names a kind of database, and the folder that holds its .sql files.
type Dialect string

// The dialects. MySQL is MariaDB's, too: what is written for it keeps to what
// both understand, from MySQL 8.0 and MariaDB 10.6 on. PostgreSQL is 13 or later.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
	MySQL    Dialect = "mysql"
)

// Rebind writes the parameters of a statement as the dialect's driver wants
// them. In the .sql files each is a ?, which must stand for nothing else.
func (d Dialect) Rebind(query string) string {
	if d != Postgres {
		return query
	}
	parts := strings.Split(query, "?")
	var text strings.Builder
	text.WriteString(parts[0])
	for i, part := range parts[1:] {
		text.WriteString("$" + strconv.Itoa(i+1) + part)
	}
	return text.String()
}

func (d Dialect) goose() goose.Dialect {
	switch d {
	case Postgres:
		return goose.DialectPostgres
	case MySQL:
		return goose.DialectMySQL
	default:
		return goose.DialectSQLite3
	}
}

// conflicts reports whether a transaction failed because of others that went
// on at the same time, so that it may do better when it is tried again.
func conflicts(err error) bool {
	if postgres, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch postgres.Code {
		case "40001", "40P01", "55P03": // serialization failure, deadlock, lock timeout
			return true
		}
	}
	if mysql, ok := errors.AsType[*mysql.MySQLError](err); ok {
		switch mysql.Number {
		case 1205, 1213: // lock wait timeout, deadlock
			return true
		}
	}
	return false
}
