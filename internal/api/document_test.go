package api_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter/internal/api"
)

//go:generate go test -run ^TestDocumentIsCommitted$ . -args update

// The console's client is made from the committed document, so it has to be
// that of the code; `go generate ./internal/api` renews it.
func TestDocumentIsCommitted(t *testing.T) {
	t.Parallel()
	got, err := api.Document("")
	if err != nil {
		t.Fatal(err)
	}
	const path = "openapi.json"
	for _, arg := range flag.Args() {
		if arg == "update" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("openapi.json is stale (-committed +code):\n%s", diff)
	}
}
