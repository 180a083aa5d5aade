package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/jobstore/sqlstore"
)

// A scheduler whose jobs and runs survive a restart.
func Example() {
	dir, err := os.MkdirTemp("", "jobs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	store, err := sqlstore.Open(context.Background(), "sqlite:"+filepath.Join(dir, "jobs.db"), sqlstore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()
	if _, err := jobcenter.New(jobcenter.Options{Store: store}); err != nil {
		fmt.Println(err)
		return
	}
	page, err := store.Jobs(context.Background(), jobcenter.JobQuery{})
	fmt.Println(len(page.Jobs), "jobs", err)
	// Output: 0 jobs <nil>
}
