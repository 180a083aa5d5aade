package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jobcenter-go/jobcenter"
)

const (
	defaultLimit = 50
	maxLimit     = 500
	// look is how many jobs of an index one script looks at, where not all are
	// to be kept, and searched how many it returns for a search.
	look     = 5000
	searched = 500
)

// pageLimit brings the limit of a query into its range.
func pageLimit(limit int) int {
	if limit <= 0 {
		return defaultLimit
	}
	return min(limit, maxLimit)
}

// cursor says where a page ended: at a member of an index. It names the list,
// so that it is of no use in another one.
type cursor struct {
	List   string `json:"l"`
	Part   int    `json:"p,omitempty"`
	Member []byte `json:"m"`
}

func (c cursor) encode() string {
	data, _ := json.Marshal(c) // texts and numbers cannot fail
	return base64.RawURLEncoding.EncodeToString(data)
}

func decodeCursor(text, list string, parts int) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, jobcenter.ErrBadCursor
	}
	var c cursor
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&c) != nil || c.List != list || c.Part < 0 || c.Part >= parts || len(c.Member) == 0 || c.encode() != text {
		return cursor{}, jobcenter.ErrBadCursor
	}
	return c, nil
}

// jobIndex is an index that a list of jobs walks through. skip is what stands
// before the id in its members: a number of bytes, or "name" and a zero byte.
type jobIndex struct{ name, skip string }

// indexesOf are the indexes of an order, one after the other whichever way the
// list runs.
func indexesOf(sort jobcenter.JobSort) ([]jobIndex, error) {
	switch sort {
	case jobcenter.SortByID, "":
		return []jobIndex{{"jobs", "0"}}, nil
	case jobcenter.SortByName:
		return []jobIndex{{"jobs:name", "name"}}, nil
	case jobcenter.SortByCreatedAt:
		return []jobIndex{{"jobs:created", fmt.Sprint(digits)}}, nil
	case jobcenter.SortByNextFireTime:
		return []jobIndex{{"jobs:due", fmt.Sprint(digits)}, {"jobs:idle", "0"}}, nil
	}
	return nil, fmt.Errorf("sort: %q is unknown", sort)
}

// filtersOf are indexes by id in which all jobs are that a query keeps, the
// one that is probably the smallest first.
func filtersOf(q jobcenter.JobQuery) ([]string, error) {
	var filters []string
	if q.Tag != "" {
		filters = append(filters, "jobs:tag:"+q.Tag)
	}
	switch q.State {
	case "":
	case jobcenter.JobActive, jobcenter.JobPaused, jobcenter.JobFinished, jobcenter.JobQuarantined:
		filters = append(filters, "jobs:state:"+string(q.State))
	default:
		return nil, fmt.Errorf("state: %q is unknown", q.State)
	}
	if q.Task != "" {
		filters = append(filters, "jobs:task:"+q.Task)
	}
	return filters, nil
}

// Jobs lists jobs by filter, in order, a page at a time.
func (s *Store) Jobs(ctx context.Context, q jobcenter.JobQuery) (jobcenter.JobPage, error) {
	page, err := s.jobPage(ctx, q)
	if err != nil {
		return jobcenter.JobPage{}, fmt.Errorf("redisstore: list jobs: %w", err)
	}
	return page, nil
}

func (s *Store) jobPage(ctx context.Context, q jobcenter.JobQuery) (page jobcenter.JobPage, err error) {
	limit := pageLimit(q.Limit)
	indexes, err := indexesOf(q.Sort)
	if err != nil {
		return page, err
	}
	filters, err := filtersOf(q)
	if err != nil {
		return page, err
	}
	if indexes[0].name == "jobs" && len(filters) > 0 { // they are in the same order
		indexes[0].name, filters = filters[0], filters[1:]
	}
	name := fmt.Sprintf("jobs by %s, desc %t", cmp.Or(q.Sort, jobcenter.SortByID), q.Desc)
	at, err := decodeCursor(q.Cursor, name, len(indexes))
	if err != nil {
		return page, err
	}
	words := strings.Fields(strings.ToLower(q.Search))
	ask := limit + 1
	if len(words) > 0 {
		ask = max(ask, searched)
	}
	for end := at; at.Part < len(indexes); {
		found, last, err := s.walkJobs(ctx, indexes[at.Part], q.Desc, string(at.Member), ask, filters)
		if err != nil {
			return page, err
		}
		for _, job := range found {
			if q.State != "" && job.State() != q.State || !contains(&job.Job, words) {
				continue
			}
			if len(page.Jobs) == limit {
				page.NextCursor = end.encode()
				return page, nil
			}
			page.Jobs = append(page.Jobs, job.Job)
			end = cursor{List: name, Part: at.Part, Member: []byte(job.member)}
		}
		if at.Member = []byte(last); last == "" {
			at.Part++
		}
	}
	return page, nil
}

// contains reports whether what a job can be searched by contains all words.
func contains(job *jobcenter.Job, words []string) bool {
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(strings.Join(append([]string{job.ID, job.Name, job.Description, string(job.Args)}, job.Tags...), "\n"))
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// listedJob is a job with its member of the index through which it was found.
type listedJob struct {
	seenJob
	member string
}

// walkJobs returns up to limit jobs of an index that are in all filters, from a
// member on, and the last member that it looked at, empty at the end.
func (s *Store) walkJobs(ctx context.Context, index jobIndex, desc bool, from string, limit int, filters []string) (jobs []listedJob, last string, err error) {
	most := limit
	if len(filters) > 0 {
		most = look
	}
	args := arguments{index.name, index.skip, flag(desc), from, most, limit}
	args.list(filters)
	reply, err := s.read(ctx, s.jobs, args)
	if err != nil {
		return nil, "", err
	}
	values := list(reply)
	for _, one := range list(item(values, 1)) {
		parts := list(one)
		if len(parts) < 2 {
			continue
		}
		if job, ok := decodeJob(text(parts[1]), parts[2:]); ok {
			jobs = append(jobs, listedJob{job, text(parts[0])})
		}
	}
	return jobs, text(item(values, 0)), nil
}

// Runs lists runs by filter, newest fire time first, a page at a time.
func (s *Store) Runs(ctx context.Context, q jobcenter.RunQuery) (jobcenter.RunPage, error) {
	page, err := s.runPage(ctx, q)
	if err != nil {
		return jobcenter.RunPage{}, fmt.Errorf("redisstore: list runs: %w", err)
	}
	return page, nil
}

func (s *Store) runPage(ctx context.Context, q jobcenter.RunQuery) (page jobcenter.RunPage, err error) {
	limit := pageLimit(q.Limit)
	const name = "runs"
	at, err := decodeCursor(q.Cursor, name, 1)
	if err != nil {
		return page, err
	}
	least, most := "-", "+"
	if !q.From.IsZero() {
		least = "[" + instantUp(q.From)
	}
	if !q.To.IsZero() {
		most = "(" + instantUp(q.To)
	}
	if member := string(at.Member); member != "" && (most == "+" || member < most[1:]) {
		most = "(" + member
	}
	args := arguments{least, most, limit + 1}
	args.list(ledgersOf(q))
	reply, err := s.read(ctx, s.runs, args)
	if err != nil {
		return page, err
	}
	for _, one := range list(reply) {
		values := list(one)
		if len(page.Runs) == limit {
			page.NextCursor = at.encode()
			return page, nil
		}
		run, _, err := decodeRun(text(item(values, 1)), list(item(values, 2)))
		if err != nil {
			return page, err
		}
		page.Runs = append(page.Runs, run)
		at = cursor{List: name, Member: []byte(text(item(values, 0)))}
	}
	return page, nil
}

// ledgersOf are the ledgers that together hold the runs that a query keeps,
// its bounds aside.
func ledgersOf(q jobcenter.RunQuery) []string {
	states := slices.Clone(q.States)
	if len(states) == 0 {
		if q.JobID != "" {
			return []string{"all/" + q.JobID}
		}
		states = []jobcenter.RunState{
			jobcenter.RunQueued, jobcenter.RunRunning, jobcenter.RunSucceeded, jobcenter.RunFailed, jobcenter.RunTimedOut,
			jobcenter.RunStopped, jobcenter.RunLost, jobcenter.RunMissed, jobcenter.RunSkipped,
		}
	}
	slices.Sort(states)
	var ledgers []string
	for _, state := range slices.Compact(states) {
		ledger := string(state)
		if q.JobID != "" {
			ledger += "/" + q.JobID
		}
		ledgers = append(ledgers, ledger)
	}
	return ledgers
}
