// Package web is the console: its sources, and what Vite built of them,
// embedded in the binary.
package web

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// FS is the built console: index.html, and under assets/ the files whose
// names change with their content, most of them also compressed beside it
// (.br, .gz). Without a build it holds placeholder.html alone.
func FS() (fs.FS, error) { return fs.Sub(dist, "dist") }

// Index is the page that every path of the console answers with: index.html,
// or placeholder.html in a binary built before the console was.
func Index() ([]byte, error) {
	page, err := dist.ReadFile("dist/index.html")
	if errors.Is(err, fs.ErrNotExist) {
		page, err = dist.ReadFile("dist/placeholder.html")
	}
	if err != nil {
		return nil, fmt.Errorf("web: read the console's page: %w", err)
	}
	return page, nil
}
