package sqlstore_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// BenchmarkBareLimit is what BenchmarkFire is held against: the same three
// writes, advance, insert and end, with nothing else around them.
func BenchmarkBareLimit(b *testing.B) {
	for _, batch := range []int{100, 1000} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			ctx := b.Context()
			db, err := sqlkit.Open(ctx, filepath.Join(b.TempDir(), "bare.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer closeIt(b, db)
			prepare := func(query string) *sql.Stmt {
				stmt, err := db.Write.PrepareContext(ctx, query)
				if err != nil {
					b.Fatal(err)
				}
				return stmt
			}
			exec := func(tx *sql.Tx, stmt *sql.Stmt, args ...any) {
				if _, err := tx.StmtContext(ctx, stmt).ExecContext(ctx, args...); err != nil {
					b.Fatal(err)
				}
			}
			for _, query := range []string{
				"CREATE TABLE job (seq INTEGER PRIMARY KEY, next INTEGER, spec TEXT NOT NULL) STRICT",
				"CREATE INDEX job_next ON job (next)",
				"CREATE TABLE run (seq INTEGER PRIMARY KEY, id TEXT NOT NULL, job INTEGER NOT NULL, fire INTEGER NOT NULL, state TEXT NOT NULL, UNIQUE (job, fire)) STRICT",
				"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO job SELECT i, 0, hex(randomblob(100)) FROM n",
			} {
				if _, err := db.Write.ExecContext(ctx, query); err != nil {
					b.Fatal(err)
				}
			}
			advance := prepare("UPDATE job SET next = ? WHERE seq = ?")
			insert := prepare("INSERT INTO run (id, job, fire, state) VALUES (?, ?, ?, 'running')")
			end := prepare("UPDATE run SET state = 'succeeded' WHERE seq = ?")
			n := 0
			for b.Loop() {
				first := n
				if err := db.InTx(ctx, func(tx *sql.Tx) error {
					for range batch {
						n++
						job := n%1000 + 1
						exec(tx, advance, n, job)
						exec(tx, insert, fmt.Sprintf("0199a1b2-c3d4-7e5f-8a9b-%012d", n), job, n)
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
				if err := db.InTx(ctx, func(tx *sql.Tx) error {
					for seq := first + 1; seq <= n; seq++ {
						exec(tx, end, seq)
					}
					return nil
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "fires/s")
		})
	}
}
