// Package sqlkit is what every part that keeps rows in a SQL database shares:
// opening it by URL, dialects, named queries from embedded .sql files,
// transactions that are tried again, and migrations that refuse a database of
// a newer program.
//
// A part brings a folder for each dialect, named after it, with numbered
// migrations (001_jobs.sql, goose's format) and one queries.sql:
//
//	//go:embed sqlite/*.sql postgres/*.sql
//	var files embed.FS
//
//	err := sqlkit.Migrate(ctx, db, files, "account")
//	queries, err := sqlkit.LoadQueries(files, db.Dialect, "add_user", "user_by_email")
//
// Parameters are written as ? in all of them; [Dialect.Rebind] makes the
// driver's own of them.
package sqlkit
