package jobcenter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter/trigger"
)

// fill gives each field of a struct a value of its own, so that one which is
// forgotten somewhere is seen. It fails for a field of a type it does not know.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Type == reflect.TypeFor[TaskFunc]() {
			continue
		}
		*n++
		target := v.Field(i)
		switch value := target.Addr().Interface().(type) {
		case *string:
			*value = fmt.Sprint("text", *n)
		case *[]string:
			*value = []string{fmt.Sprint("one", *n), "two"}
		case *json.RawMessage:
			*value = json.RawMessage(fmt.Sprintf(`{"n":%d}`, *n))
		case *trigger.Trigger:
			every, err := trigger.NewInterval(time.Duration(*n)*time.Minute, trigger.Options{Start: time.Date(2026, 1, 1, 0, 0, *n, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			*value = every
		case *time.Duration:
			*value = time.Duration(*n)*time.Second + time.Millisecond
		case *time.Time:
			*value = time.Date(2026, 1, 1, 0, *n, 0, 123456000, time.UTC)
		case *bool:
			*value = true
		case *int:
			*value = *n
		case *int64:
			*value = int64(*n)
		case *float64:
			*value = float64(*n) / 2
		case *[]int:
			*value = []int{*n, -*n}
		case *[]Reason:
			*value = []Reason{ReasonError, Reason(fmt.Sprint("reason", *n))}
		case *Coalesce:
			*value = Coalesce(fmt.Sprint("coalesce", *n))
		case *Overlap:
			*value = Overlap(fmt.Sprint("overlap", *n))
		default:
			if target.Kind() != reflect.Struct {
				t.Fatalf("field %s: the test does not know type %s", field.Name, field.Type)
			}
			fill(t, target, n)
		}
	}
}

// byJSON compares jobs, triggers by their JSON form.
func byJSON() cmp.Options {
	return cmp.Options{
		cmp.Comparer(func(a, b trigger.Trigger) bool { return sameTrigger(a, b) }),
		cmp.Comparer(func(a, b TaskFunc) bool { return (a == nil) == (b == nil) }),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".rawTrigger" }, cmp.Ignore()),
	}
}

// Every field of a job goes through JSON and back: one that is added to Job and
// forgotten there fails this test.
func TestJobJSONKeepsEveryField(t *testing.T) {
	t.Parallel()
	var job Job
	n := 0
	fill(t, reflect.ValueOf(&job).Elem(), &n)
	raw, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var again Job
	if err := json.Unmarshal(raw, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(job, again, byJSON()); diff != "" {
		t.Errorf("(-written +read):\n%s\n%s", diff, raw)
	}
	// And each field alone, beside what is at its zero value.
	full := reflect.ValueOf(job)
	for i := range full.NumField() {
		field := full.Type().Field(i)
		if !field.IsExported() || field.Name == "Func" {
			continue
		}
		alone := Job{Trigger: job.Trigger}
		reflect.ValueOf(&alone).Elem().Field(i).Set(full.Field(i))
		raw, err := json.Marshal(alone)
		if err != nil {
			t.Fatal(err)
		}
		var again Job
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(alone, again, byJSON()); diff != "" {
			t.Errorf("%s (-written +read):\n%s", field.Name, diff)
		}
	}
}

// changedFields notices each field of the definition, and none of those that
// the engine keeps; cloneJob leaves no slice shared.
func TestEveryFieldIsNoticedAndCloned(t *testing.T) {
	t.Parallel()
	var job Job
	n := 0
	fill(t, reflect.ValueOf(&job).Elem(), &n)
	kept := map[string]bool{
		"ID": true, "Store": true, "Func": true, "Version": true, "NextFireTime": true, "PreviousFireTime": true, "Quarantine": true,
		"Carried": true, "LastResult": true, "CreatedAt": true, "UpdatedAt": true,
	}
	zero := Job{}
	noticed := map[string]bool{}
	for i := range reflect.TypeFor[Job]().NumField() {
		field := reflect.TypeFor[Job]().Field(i)
		if !field.IsExported() {
			continue
		}
		one := zero
		reflect.ValueOf(&one).Elem().Field(i).Set(reflect.ValueOf(job).Field(i))
		fields := changedFields(&zero, &one)
		switch {
		case kept[field.Name] && len(fields) != 0:
			t.Errorf("%s is noticed as %v, although the engine keeps it", field.Name, fields)
		case !kept[field.Name] && len(fields) != 1:
			t.Errorf("%s is noticed as %v", field.Name, fields)
		case len(fields) == 1:
			if noticed[fields[0]] {
				t.Errorf("%s is called %s, as another field is", field.Name, fields[0])
			}
			noticed[fields[0]] = true
		}
	}
	// The names are those of the JSON form.
	raw, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var form map[string]json.RawMessage
	if err := json.Unmarshal(raw, &form); err != nil {
		t.Fatal(err)
	}
	for name := range noticed {
		if form[name] == nil {
			t.Errorf("%q is no key of the JSON form", name)
		}
	}
	if len(changedFields(&job, &job)) != 0 {
		t.Error("a job differs from itself")
	}

	clone := cloneJob(job)
	if shared := sharedSlices(reflect.ValueOf(&job).Elem(), reflect.ValueOf(&clone).Elem(), "Job"); len(shared) > 0 {
		t.Errorf("a clone shares %v with its original", shared)
	}
	var run Run
	run.Args, run.Result = json.RawMessage(`1`), json.RawMessage(`2`)
	runClone := cloneRun(run)
	if shared := sharedSlices(reflect.ValueOf(&run).Elem(), reflect.ValueOf(&runClone).Elem(), "Run"); len(shared) > 0 {
		t.Errorf("a clone shares %v with its original", shared)
	}
}

// sharedSlices names the slices that two structs share.
func sharedSlices(a, b reflect.Value, path string) (shared []string) {
	for i := range a.NumField() {
		name := path + "." + a.Type().Field(i).Name
		switch x, y := a.Field(i), b.Field(i); {
		case x.Kind() == reflect.Slice && x.Len() > 0 && x.Pointer() == y.Pointer():
			shared = append(shared, name)
		case x.Kind() == reflect.Struct && x.Type() != reflect.TypeFor[time.Time]():
			shared = append(shared, sharedSlices(x, y, name)...)
		}
	}
	return shared
}

func TestJobJSONForms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		// A line of text is a trigger too; durations and instants have one form.
		`{"task":"t","trigger":"interval minutes=5","timeout":"90s","paused_until":"2026-01-01T08:00:00+08:00"}`: `{"task":"t",` +
			`"trigger":{"type":"interval","minutes":5,"timezone":"UTC"},"timeout":"1m30s","paused_until":"2026-01-01T00:00:00Z"}`,
		`{"task":"t","trigger":"interval hours=1","misfire_grace":"unlimited","args":null}`: `{"task":"t","trigger":{"type":"interval","hours":1,"timezone":"UTC"},"misfire_grace":"unlimited"}`,
		`{"task":"t","trigger":"interval hours=1","misfire_grace":"90m"}`:                   `{"task":"t","trigger":{"type":"interval","hours":1,"timezone":"UTC"},"misfire_grace":"1h30m0s"}`,
		`{"task":"t","trigger":"interval hours=1","retry":{"attempts":2,"delay":"1m"},"limit":{"key":"k","rate":2,"per":"1h"},"catch_up":{"max":1,"pace":"1s"}}`: `{"task":"t",` +
			`"trigger":{"type":"interval","hours":1,"timezone":"UTC"},"catch_up":{"max":1,"pace":"1s"},"limit":{"key":"k","rate":2,"per":"1h0m0s"},"retry":{"attempts":2,"delay":"1m0s"}}`,
	} {
		var job Job
		if err := json.Unmarshal([]byte(text), &job); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		raw, err := json.Marshal(job)
		if err != nil || string(raw) != want {
			t.Errorf("%s\nis written as %s, %v\nwant          %s", text, raw, err, want)
		}
	}
}

func TestJobJSONErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[]`:                                     "array",
		`{"task":7}`:                             "task",
		`{"task":"t","timeout":90}`:              "timeout",
		`{"task":"t","timeout":"90"}`:            "90s or 1h30m",
		`{"task":"t","paused_until":"tomorrow"}`: "tomorrow",
		`{"task":"t","paused_until":"0001-01-01T00:00:00+01:00"}`: "year 0",
		`{"task":"t","skip_until":"9999-12-31T23:30:00-01:00"}`:   "year 10000",
		`{"task":"t","max_instance":2}`:                           "max_instance",
		`{"task":"t","retry":{"tries":2}}`:                        "tries",
		`{"task":"t","misfire_grace":"always"}`:                   "unlimited",
	} {
		var job Job
		if err := json.Unmarshal([]byte(text), &job); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error about %q", text, err, want)
		}
	}
	own := Job{ID: "own", Trigger: every(time.Minute)}
	if _, err := json.Marshal(own); err == nil || !strings.Contains(err.Error(), `"own"`) {
		t.Errorf("a trigger of an unknown type: %v", err)
	}
	function := Job{ID: "f", Func: func() TaskFunc { return nil }(), Trigger: every(time.Minute)}
	function.Func = funcTask{}.Run
	if _, err := json.Marshal(function); !errors.Is(err, ErrFuncJob) {
		t.Errorf("a function: %v", err)
	}
}

// A trigger that cannot be decoded is kept as it was, whatever else changes.
func TestJobJSONKeepsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for form, reason := range map[string]string{
		`{"type":"moonphase","phase":"full"}`: "moonphase",
		`"every full moon"`:                   "every",
		`7`:                                   "",
		`null`:                                "is missing",
	} {
		var job Job
		if err := json.Unmarshal([]byte(`{"id":"j","task":"t","trigger":`+form+`,"next_fire_time":"2026-01-01T00:00:00Z"}`), &job); err != nil {
			t.Fatal(err)
		}
		if job.Trigger != nil || job.State() != JobQuarantined || !strings.HasPrefix(job.Quarantine, "trigger: ") || !strings.Contains(job.Quarantine, reason) {
			t.Errorf("%s: trigger %v, quarantine %q", form, job.Trigger, job.Quarantine)
		}
		first := job.Quarantine
		for range 3 {
			job.Name = "renamed"
			raw, err := json.Marshal(cloneJob(job))
			if err != nil || !bytes.Contains(raw, []byte(`"trigger":`+form)) {
				t.Fatalf("%s is written as %s, %v", form, raw, err)
			}
			job = Job{}
			if err := json.Unmarshal(raw, &job); err != nil {
				t.Fatal(err)
			}
		}
		if job.Quarantine != first {
			t.Errorf("%s: the reason has become %q", form, job.Quarantine)
		}
	}
	var missing Job
	if err := json.Unmarshal([]byte(`{"id":"j","task":"t"}`), &missing); err != nil || !strings.Contains(missing.Quarantine, "is missing") {
		t.Errorf("no trigger: %q, %v", missing.Quarantine, err)
	}
}

// FuzzJobJSON: whatever is read is written so that it reads the same.
func FuzzJobJSON(f *testing.F) {
	for _, seed := range []string{
		`{"task":"t","trigger":"interval minutes=5"}`,
		`{"id":"j","name":"名","tags":["a"],"task":"t","args":{"x":[1,2.5,null]},"trigger":{"type":"crontab","expression":"*/5 * * * *","timezone":"Asia/Shanghai"}}`,
		`{"task":"t","trigger":{"type":"moonphase"},"quarantine":"trigger: no"}`,
		`{"task":"t","trigger":"date 2026-01-01T00:00:00Z","misfire_grace":"unlimited","retry":{"attempts":3,"delay":"1s","factor":1.5,"on":["error"],"exit_codes":[1]}}`,
		`{"task":"t","trigger":null,"limit":{"key":"k","running":2},"catch_up":{"max":5,"max_age":"1h","pace":"2s"},"timeout":"1h30m","misfire_grace":"-5s"}`,
		`{"task":"t","trigger":null,"created_at":"0000-01-01T00:00:00+01:00"}`,
		`{"task":"t","trigger":"or (interval hours=1) (crontab @daily)","paused":true,"paused_until":"2026-01-01T00:00:00.123456+08:00","version":3,"carried":[],"last_result":""}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var job Job
		if json.Unmarshal(data, &job) != nil {
			return
		}
		raw, err := json.Marshal(job)
		if err != nil {
			t.Fatalf("%q was read, and cannot be written: %v", data, err)
		}
		var again Job
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatalf("%q is written as %q, which cannot be read: %v", data, raw, err)
		}
		if diff := cmp.Diff(job, again, byJSON(), jsonValues()); diff != "" {
			t.Errorf("%q is written as %q (-read +read again):\n%s", data, raw, diff)
		}
		if once, err := json.Marshal(again); err != nil || !bytes.Equal(once, raw) {
			t.Errorf("%q is written as %q, then as %q, %v", data, raw, once, err)
		}
	})
}

// jsonValues compares JSON values but for white space and how characters are
// escaped, and empty lists as none.
func jsonValues() cmp.Options {
	return cmp.Options{
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type() == reflect.TypeFor[json.RawMessage]() }, cmp.Comparer(func(a, b json.RawMessage) bool {
			if len(a) == 0 || len(b) == 0 {
				return len(a) == len(b)
			}
			var x, y any
			left, right := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
			left.UseNumber()
			right.UseNumber()
			return left.Decode(&x) == nil && right.Decode(&y) == nil && reflect.DeepEqual(x, y)
		})),
		cmp.FilterValues(func(a, b []string) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b []int) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore()),
		cmp.FilterValues(func(a, b []Reason) bool { return len(a) == 0 && len(b) == 0 }, cmp.Ignore()),
	}
}
