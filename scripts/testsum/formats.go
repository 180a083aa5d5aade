package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// readGo reads what go test -json prints.
func readGo(in io.Reader) (result, error) {
	type id struct{ pkg, test string }
	var r result
	said := make(map[id][]string)   // what a test printed
	broken := make(map[string]bool) // failed packages of which no test failed
	reason := regexp.MustCompile(`^\s*\S+\.go:\d+: (.*)`)
	lines := json.NewDecoder(in)
	for {
		var e struct{ Action, Package, Test, Output string }
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return r, err
		}
		at := id{e.Package, e.Test}
		name := e.Package + " " + e.Test
		switch {
		case e.Action == "output":
			if m := reason.FindStringSubmatch(e.Output); m != nil {
				said[at] = append(said[at], m[1])
			}
		case e.Action == "fail" && e.Test == "":
			broken[e.Package] = true
		case e.Test == "":
		case e.Action == "pass":
			r.passed++
		case e.Action == "fail":
			r.fail(name, "")
		case e.Action == "skip":
			r.skip(name, strings.Join(said[at], " "))
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(broken)) {
		if !slices.ContainsFunc(r.failed, func(t test) bool { return strings.HasPrefix(t.name, pkg+" ") }) {
			r.fail(pkg, "did not build, or ended early")
		}
	}
	return r, nil
}

// readVitest reads what vitest's json reporter writes.
func readVitest(in io.Reader) (result, error) {
	var r result
	var report struct {
		TestResults []struct {
			Name, Status, Message string
			AssertionResults      []struct{ FullName, Status string }
		}
	}
	if err := json.NewDecoder(in).Decode(&report); err != nil {
		return r, err
	}
	for _, file := range report.TestResults {
		if file.Status == "failed" && len(file.AssertionResults) == 0 {
			r.fail(file.Name, file.Message)
		}
		for _, t := range file.AssertionResults {
			switch t.Status {
			case "passed":
				r.passed++
			case "failed":
				r.fail(t.FullName, "")
			default:
				r.skip(t.FullName, t.Status)
			}
		}
	}
	return r, nil
}

// readPlaywright reads what Playwright's json reporter writes.
func readPlaywright(in io.Reader) (result, error) {
	type suite struct {
		Title  string
		Suites []json.RawMessage
		Specs  []struct {
			Title string
			Tests []struct {
				ProjectName, Status string
				Annotations         []struct{ Type, Description string }
			}
		}
	}
	var r result
	var report struct {
		Suites []json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.NewDecoder(in).Decode(&report); err != nil {
		return r, err
	}
	for _, e := range report.Errors {
		r.fail("runner", e.Message)
	}
	var walk func(path string, raws []json.RawMessage) error
	walk = func(path string, raws []json.RawMessage) error {
		for _, raw := range raws {
			var s suite
			if err := json.Unmarshal(raw, &s); err != nil {
				return err
			}
			title := path + s.Title + " › "
			for _, spec := range s.Specs {
				for _, t := range spec.Tests {
					name := title + spec.Title
					if t.ProjectName != "" {
						name = fmt.Sprintf("[%s] %s", t.ProjectName, name)
					}
					switch t.Status {
					case "expected":
						r.passed++
					case "flaky":
						r.fail(name, "passed only when tried again")
					case "skipped":
						var why []string
						for _, a := range t.Annotations {
							why = append(why, a.Description)
						}
						r.skip(name, strings.Join(why, " "))
					default:
						r.fail(name, "")
					}
				}
			}
			if err := walk(title, s.Suites); err != nil {
				return err
			}
		}
		return nil
	}
	return r, walk("", report.Suites)
}

// readSkipped reads a line for each test that was not run: its name, a tab,
// and why.
func readSkipped(in io.Reader) (result, error) {
	var r result
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name, why, _ := strings.Cut(lines.Text(), "\t")
		r.skip(name, why)
	}
	return r, lines.Err()
}
