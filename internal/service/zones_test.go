package service

import (
	"archive/zip"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The list is what the Go distribution carries, because that is what the
// binary embeds; `go test ./internal/service -args update` renews it.
func TestZonesAreThoseOfTheDistribution(t *testing.T) {
	t.Parallel()
	for _, name := range Zones() {
		if _, err := time.LoadLocation(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	root := os.Getenv("GOROOT")
	if root == "" {
		t.Skip("GOROOT is not set")
	}
	archive, err := zip.OpenReader(filepath.Join(root, "lib", "time", "zoneinfo.zip"))
	if err != nil {
		t.Skip("no zoneinfo.zip in GOROOT")
	}
	defer func() { _ = archive.Close() }()
	var want []string
	for _, file := range archive.File {
		if !strings.HasSuffix(file.Name, "/") && file.Name != "Factory" {
			want = append(want, file.Name)
		}
	}
	slices.Sort(want)
	if slices.Contains(flag.Args(), "update") {
		if err := os.WriteFile("zones.txt", []byte(strings.Join(want, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, Zones()); diff != "" {
		t.Errorf("zones.txt (-want +got):\n%s", diff)
	}
}
