package torture

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A journal is what one scheduler process says of itself, apart from the store
// that it uses: a file with a line for each event, written by one system call
// each. What was written is kept when the process is killed, but for the end of
// a line that it was just writing.
//
// Instants are microseconds since 1970, as in the ledger. The lines are:
//
//	H at until                                    the store acknowledged a lease
//	C at job fire attempt reason started notbefore the store handed an attempt over
//	B at job fire attempt - carried run           the task began
//	E at job fire attempt outcome carried -       the task is about to return
//	A at job fire attempt state when -            the store acknowledged this end of an attempt
//
// when is the end of the run or, for one that is queued again, NotBefore.
type journal struct{ file *os.File }

const (
	leaseLine  = 'H'
	claimLine  = 'C'
	beginLine  = 'B'
	endLine    = 'E'
	recordLine = 'A'
)

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &journal{file}, nil
}

// write appends lines. A scheduler that cannot say what it does is of no use to
// the test.
func (j *journal) write(lines []byte) {
	if _, err := j.file.Write(lines); err != nil {
		panic(fmt.Sprintf("journal: %v", err))
	}
}

func appendLine(to []byte, kind byte, at time.Time, job int, fire time.Time, attempt int, word string, a, b any) []byte {
	if word == "" {
		word = "-"
	}
	return fmt.Appendf(to, "%c %d %d %d %d %s %v %v\n", kind, at.UnixMicro(), job, fire.UnixMicro(), attempt, word, a, b)
}

// event is a line of a journal.
type event struct {
	at, fire, a, b int64
	process        *process
	attempt        int
	kind           byte
	word           string
}

// lease is an acknowledged lease.
type lease struct{ at, until int64 }

// journals is what all of them say, by job and in the order of each process.
type journals struct {
	byJob [][]event
	lines int
	words map[string]string // so that each is in memory once
}

func readJournals(folder string, processes []*process, jobs int) (*journals, error) {
	js := &journals{byJob: make([][]event, jobs), words: map[string]string{}}
	for _, p := range processes {
		if err := js.read(filepath.Join(folder, p.journal), p); err != nil {
			return nil, fmt.Errorf("%s: %w", p.journal, err)
		}
	}
	return js, nil
}

func (js *journals) read(path string, p *process) error {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // killed before it began
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewReaderSize(file, 1<<20); ; {
		line, err := lines.ReadSlice('\n')
		if err != nil { // a line without its end: it was killed over it
			return nil
		}
		if err := js.add(line, p); err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
		js.lines++
	}
}

func (js *journals) add(line []byte, p *process) error {
	var fields [8][]byte
	n := 0
	for field := range bytes.FieldsSeq(line) {
		if n == len(fields) {
			return errors.New("too many fields")
		}
		fields[n] = field
		n++
	}
	var err error
	number := func(i int) int64 {
		value, e := strconv.ParseInt(string(fields[i]), 10, 64)
		err = errors.Join(err, e)
		return value
	}
	kind := fields[0][0]
	if kind == leaseLine {
		p.leases = append(p.leases, lease{number(1), number(2)})
		return err
	}
	e := event{kind: kind, process: p, at: number(1), fire: number(3), attempt: int(number(4)), a: number(6)}
	job := int(number(2))
	switch kind {
	case beginLine:
		e.b = idNumber(fields[7])
	case claimLine:
		e.b = number(7)
	}
	word, ok := js.words[string(fields[5])]
	if !ok {
		word = string(fields[5])
		js.words[word] = word
	}
	if e.word = word; word == "-" {
		e.word = ""
	}
	if err == nil && (job < 0 || job >= len(js.byJob)) {
		err = fmt.Errorf("job %d", job)
	}
	if err == nil {
		js.byJob[job] = append(js.byJob[job], e)
	}
	return err
}

// idNumber stands for a run's id in memory.
func idNumber(id []byte) int64 {
	h := fnv.New64a()
	_, _ = h.Write(id)
	return int64(h.Sum64())
}
