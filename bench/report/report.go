package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

type report struct {
	Date        string       `json:"date"`
	Go          string       `json:"go"`
	CPU         string       `json:"cpu"`
	Contestants []contestant `json:"contestants"`
	Results     []*result    `json:"results"`
	Answers     []answer     `json:"answers"`
}

type contestant struct {
	Name    string `json:"name"`
	Module  string `json:"module"`
	Version string `json:"version"`
}

// subject is what a result or an answer is about.
type subject struct {
	Plan string `json:"plan"`
	Zone string `json:"zone,omitempty"`
}

// result is what was measured of one subject.
type result struct {
	Measure string `json:"measure"`
	subject
	Contestants map[string]*sample `json:"contestants"`
	// Fastest is the fastest peer, FastestRight the fastest of those whose
	// answers are right.
	Fastest      rival `json:"fastest_peer"`
	FastestRight rival `json:"fastest_right_peer"`
}

// rival is a peer and its time divided by ours; the zero value if there is none.
type rival struct {
	Name  string  `json:"name"`
	Ratio float64 `json:"ratio"`
}

// sample holds the medians of all runs of one contestant.
type sample struct {
	Nanoseconds float64 `json:"ns_per_op"`
	Allocs      float64 `json:"allocs_per_op"`
	Runs        int     `json:"runs"`
	// Answer is "right", or how many answers are wrong and the first that is.
	Answer string `json:"answer,omitempty"`

	nanoseconds, allocs []float64
}

// answer says how a contestant does with a subject: "right", what is wrong, or
// why it cannot say it.
type answer struct {
	subject
	Contestant string `json:"contestant"`
	Answer     string `json:"answer"`
}

const (
	ours      = "jobcenter"
	right     = "right"
	cannotSay = "cannot say it: "
)

// parse reads the lines of the benchmarks and those of testing.T.Attr.
func parse(text string) (*report, error) {
	r := &report{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch words := strings.Fields(line); {
		case strings.HasPrefix(line, "cpu: "):
			r.CPU = strings.TrimPrefix(line, "cpu: ")
		case strings.HasPrefix(line, "=== ATTR ") && len(words) > 4:
			r.attribute(words[2], words[3], strings.Join(words[4:], " "))
		case strings.HasPrefix(line, "Benchmark") && slices.Contains(words, "ns/op"):
			if err := r.measured(words); err != nil {
				return nil, fmt.Errorf("%s: %w", line, err)
			}
		}
	}
	if r.Date == "" || len(r.Results) == 0 {
		return nil, errors.New("want what go test -v -bench printed, with TestContestants and TestAnswers")
	}
	for _, result := range r.Results {
		result.compare(r.Answers)
	}
	return r, nil
}

func (r *report) attribute(test, key, value string) {
	switch test, about, _ := strings.Cut(test, "/"); {
	case test == "TestAnswers":
		a := answer{subjectOf(about), key, value}
		if !slices.Contains(r.Answers, a) { // of each of several runs
			r.Answers = append(r.Answers, a)
		}
	case key == "date":
		r.Date = value
	case key == "go":
		r.Go = value
	default:
		module, version, _ := strings.Cut(value, " ")
		c := contestant{key, module, version}
		if !slices.Contains(r.Contestants, c) {
			r.Contestants = append(r.Contestants, c)
		}
	}
}

// measured takes a line such as
//
//	BenchmarkNext/0_9_*_*_1-5/America/New_York/robfig-2  1000  476 ns/op  0 B/op  0 allocs/op
func (r *report) measured(words []string) error {
	name := regexp.MustCompile(`-\d+$`).ReplaceAllString(words[0], "") // GOMAXPROCS
	measure, about, _ := strings.Cut(strings.TrimPrefix(name, "Benchmark"), "/")
	cut := strings.LastIndexByte(about, '/')
	if cut < 0 {
		return errors.New("no contestant")
	}
	about, who := about[:cut], about[cut+1:]

	i := slices.IndexFunc(r.Results, func(o *result) bool {
		return o.Measure == measure && o.subject == subjectOf(about)
	})
	if i < 0 {
		i = len(r.Results)
		r.Results = append(r.Results, &result{
			Measure: measure, subject: subjectOf(about), Contestants: map[string]*sample{},
		})
	}
	s := r.Results[i].Contestants[who]
	if s == nil {
		s = &sample{}
		r.Results[i].Contestants[who] = s
	}
	for i := 2; i+1 < len(words); i += 2 {
		value, err := strconv.ParseFloat(words[i], 64)
		if err != nil {
			return err
		}
		switch words[i+1] {
		case "ns/op":
			s.nanoseconds = append(s.nanoseconds, value)
		case "allocs/op":
			s.allocs = append(s.allocs, value)
		}
	}
	s.Runs, s.Nanoseconds, s.Allocs = len(s.nanoseconds), median(s.nanoseconds), median(s.allocs)
	return nil
}

// subjectOf reads "0_9_*_*_1-5/America/New_York"; a plan may have a slash too.
func subjectOf(name string) subject {
	m := regexp.MustCompile(`^(.*?)(?:/(UTC|[A-Z]\w+/\w+))?$`).FindStringSubmatch(name)
	return subject{Plan: strings.ReplaceAll(m[1], "_", " "), Zone: m[2]}
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// compare notes what the answers of each contestant are worth and finds the
// fastest peers.
func (r *result) compare(answers []answer) {
	for _, a := range answers {
		if s := r.Contestants[a.Contestant]; s != nil && a.subject == r.subject {
			s.Answer = a.Answer
		}
	}
	own := r.Contestants[ours]
	if own == nil {
		return
	}
	for name, s := range r.Contestants {
		if isOurs(name) {
			continue
		}
		peer := rival{name, s.Nanoseconds / own.Nanoseconds}
		r.Fastest = faster(r.Fastest, peer)
		if s.right() {
			r.FastestRight = faster(r.FastestRight, peer)
		}
	}
}

// isOurs holds for variants such as "jobcenter-json" too.
func isOurs(name string) bool { return strings.HasPrefix(name, ours) }

func faster(x, y rival) rival {
	if x.Name == "" || y.Ratio < x.Ratio {
		return y
	}
	return x
}

// right holds where there was nothing to answer, too.
func (s *sample) right() bool { return s.Answer == "" || s.Answer == right }
