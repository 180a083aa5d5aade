package sqlkit

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// queriesFile is the file of a dialect's folder that is no migration.
const queriesFile = "queries.sql"

// Queries are the texts of a part's statements by name.
type Queries map[string]string

// LoadQueries reads the queries of a dialect. Each begins with a line
// "-- name: NAME" and goes on to the next such line; other comments are
// dropped. The names given are all that the program uses: one that is
// missing, written twice, empty, or not used is an error.
func LoadQueries(files fs.FS, dialect Dialect, names ...string) (Queries, error) {
	path := string(dialect) + "/" + queriesFile
	text, err := fs.ReadFile(files, path)
	if err != nil {
		return nil, fmt.Errorf("load queries: %w", err)
	}
	queries, err := parseQueries(string(text))
	if err != nil {
		return nil, fmt.Errorf("load queries: %s: %w", path, err)
	}
	var errs []error
	for _, name := range names {
		if _, ok := queries[name]; !ok {
			errs = append(errs, fmt.Errorf("query %q is missing", name))
		}
	}
	for name := range queries {
		if !slices.Contains(names, name) {
			errs = append(errs, fmt.Errorf("query %q is not used", name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("load queries: %s: %w", path, err)
	}
	return queries, nil
}

func parseQueries(text string) (Queries, error) {
	queries := Queries{}
	name := ""
	for number, line := range strings.Split(text, "\n") {
		if next, ok := strings.CutPrefix(line, "-- name: "); ok {
			name = strings.TrimSpace(next)
			if _, ok := queries[name]; ok || name == "" {
				return nil, fmt.Errorf("line %d: query name %q is empty or written twice", number+1, name)
			}
			queries[name] = ""
			continue
		}
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		if name == "" {
			return nil, fmt.Errorf("line %d: a statement before the first \"-- name: \"", number+1)
		}
		queries[name] += line + "\n"
	}
	for name, query := range queries {
		query = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(query), ";"))
		if query == "" {
			return nil, fmt.Errorf("query %q is empty", name)
		}
		queries[name] = query
	}
	return queries, nil
}
