package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/jobcenter-go/jobcenter/internal/service"
	"github.com/jobcenter-go/jobcenter/trigger"
)

const (
	defaultCount = 10
	maxCount     = 10_000
	// maxLine is how long a line of input may be.
	maxLine = 1 << 20
)

type nextCmd struct {
	Plan     string    `arg:"" optional:"" help:"A trigger: a crontab expression, one line such as 'quartz \"0 0 12 L * ?\" timezone=UTC', or its JSON form."`
	Crontab  string    `help:"A crontab expression." placeholder:"TEXT" xor:"trigger"`
	Trigger  string    `help:"A trigger in its JSON form or as one line of text." placeholder:"TEXT" xor:"trigger"`
	Timezone zone      `default:"UTC" help:"Time zone of a trigger that names none."`
	From     time.Time `help:"Print fire times strictly after this instant (RFC 3339). Left out: now." placeholder:"TIME"`
	Count    int       `short:"n" default:"10" help:"How many fire times, 1 to 10000."`
	Job      string    `help:"The job whose fire times these are: its id chooses the values of H and ~, and the delays of jitter." placeholder:"ID"`
	Lang     string    `enum:"en,zh" default:"en" help:"Language of the words, en or zh."`
	As       string    `help:"Print the trigger as another kind (cron, crontab, quartz, interval) instead." placeholder:"KIND"`
	Compare  string    `help:"Print the fire times that only one of the trigger and this one has." placeholder:"TEXT"`
}

// Help is the long help of the command.
func (nextCmd) Help() string {
	return `With a trigger it prints what it means, warnings and a table of fire times.
Without one it reads JSON lines
  {"id":"a","trigger":{"type":"crontab","expression":"0 9 * * mon"},"from":"2026-01-01T00:00:00Z","count":3}
from standard input and prints for each, in the same order, a line
  {"id":"a","fires":["2026-01-05T09:00:00Z",…],"exhausted":false}   or
  {"id":"a","error":"…"}
count may be left out (10), and job, whose id chooses the values of H and ~ and
the delays of jitter, as well. exhausted tells that there are fewer fire times
than count. An interval without start_date fires first one interval after from.`
}

// Run prints fire times.
func (c *nextCmd) Run(ctx context.Context, io stdio) error {
	given := 0
	for _, text := range []string{c.Plan, c.Crontab, c.Trigger} {
		if text != "" {
			given++
		}
	}
	switch {
	case given > 1:
		return errors.New("the trigger is given twice")
	case given == 0:
		return answerLines(ctx, io.in, io.out, c.Timezone.Location)
	case c.Count < 1 || c.Count > maxCount:
		return fmt.Errorf("--count is %d, allowed: 1 to %d", c.Count, maxCount)
	}
	t, err := c.parse(c.Plan + c.Trigger)
	if c.Crontab != "" {
		t, err = trigger.NewCrontab(c.Crontab, trigger.Options{Zone: c.Timezone.Location})
	}
	if err != nil {
		return err
	}
	from := c.From
	if from.IsZero() {
		from = time.Now()
	}
	switch {
	case c.As != "":
		return c.printAs(io.out, t)
	case c.Compare != "":
		return c.printDifference(io.out, t, from)
	}
	return c.printTable(io.out, t, from)
}

// parse reads a trigger in either form.
func (c *nextCmd) parse(text string) (trigger.Trigger, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return trigger.Parse([]byte(text), c.Timezone.Location)
	}
	return trigger.ParseText(text, c.Timezone.Location)
}

// printAs prints the trigger as one of another kind.
func (c *nextCmd) printAs(out io.Writer, t trigger.Trigger) error {
	converted, err := trigger.Convert(t, c.As)
	if err != nil {
		return err
	}
	text, err := trigger.Text(converted)
	if err == nil {
		_, err = fmt.Fprintln(out, text)
	}
	return err
}

// printDifference prints what would change if another trigger took the place of
// this one.
func (c *nextCmd) printDifference(out io.Writer, t trigger.Trigger, from time.Time) error {
	other, err := c.parse(c.Compare)
	if err != nil {
		return fmt.Errorf("--compare: %w", err)
	}
	now := func(t trigger.Trigger) trigger.Trigger { return trigger.ForJob(trigger.Anchor(t, nil, from), c.Job) }
	delta := trigger.Difference(now(t), now(other), from, c.Count)
	_, err = fmt.Fprintln(out, delta.Describe(trigger.Lang(c.Lang)))
	return err
}

// printTable prints fire times for a person.
func (c *nextCmd) printTable(out io.Writer, t trigger.Trigger, from time.Time) error {
	lang := trigger.Lang(c.Lang)
	fires, exhausted := service.Preview(t, c.Job, from, c.Count, lang)
	t = trigger.ForJob(t, c.Job)
	fmt.Fprintln(out, trigger.Describe(t, lang))
	for _, warning := range trigger.Lint(t, from, lang) {
		fmt.Fprintf(out, "! %s\n", warning.Message)
	}
	fmt.Fprintln(out)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "N\tFIRE TIME\tDAY\tIN\tNOTE")
	n := 0
	for _, fire := range fires {
		number := "-"
		if fire.Effect != trigger.EffectSkipped {
			n++
			number = strconv.Itoa(n)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", number, fire.Time.Format(time.RFC3339Nano), fire.Time.Weekday().String()[:3],
			until(fire.Time.Sub(from)), fire.Note)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if exhausted {
		_, err := fmt.Fprintln(out, "and none after that")
		return err
	}
	return nil
}

// until is a duration in its two largest units, such as "3d 4h" or "5m 10s".
func until(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	seconds := int64(d.Round(time.Second) / time.Second)
	units := []struct {
		name string
		size int64
	}{{"d", 24 * 60 * 60}, {"h", 60 * 60}, {"m", 60}, {"s", 1}}
	var parts []string
	for _, unit := range units {
		n := seconds / unit.size
		seconds %= unit.size
		if n > 0 || len(parts) > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, unit.name))
		}
		if len(parts) == 2 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// answer is a line of output.
type answer struct {
	ID        json.RawMessage `json:"id"`
	Fires     *[]string       `json:"fires,omitempty"`
	Exhausted *bool           `json:"exhausted,omitempty"`
	Error     string          `json:"error,omitempty"`
}

// answerLines answers each line of the input with a line of the output.
func answerLines(ctx context.Context, in io.Reader, out io.Writer, zone *time.Location) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	answers := bufio.NewWriterSize(out, 64<<10)
	encoder := json.NewEncoder(answers)
	encoder.SetEscapeHTML(false)
	for ctx.Err() == nil {
		line, tooLong, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			return errors.Join(err, answers.Flush())
		}
		ended := err != nil
		switch {
		case tooLong:
			err = encoder.Encode(answer{ID: json.RawMessage("null"), Error: fmt.Sprintf("the line is longer than %d bytes", maxLine)})
		case len(bytes.TrimSpace(line)) > 0:
			err = encoder.Encode(answerLine(line, zone))
		default:
			err = nil
		}
		// Whoever waits for an answer before asking again gets it.
		if err == nil && (ended || lines.Buffered() == 0) {
			err = answers.Flush()
		}
		if err != nil || ended {
			return err
		}
	}
	return ctx.Err()
}

// readLine reads a line without its end. The error is io.EOF with the last one.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > maxLine+1; !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(line, []byte("\n")), tooLong, err
		}
	}
}

// answerLine answers one line.
func answerLine(line []byte, zone *time.Location) answer {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(line, &fields); err != nil || fields == nil || !utf8.Valid(line) {
		return answer{ID: json.RawMessage("null"), Error: "the line is not a JSON object"}
	}
	id, ok := fields["id"]
	if !ok {
		id = json.RawMessage("null")
	}
	fires, exhausted, err := fieldsFires(fields, zone)
	if err != nil {
		return answer{ID: id, Error: err.Error()}
	}
	texts := make([]string, len(fires))
	for i, fire := range fires {
		texts[i] = fire.Format(time.RFC3339Nano)
	}
	return answer{ID: id, Fires: &texts, Exhausted: &exhausted}
}

func fieldsFires(fields map[string]json.RawMessage, zone *time.Location) (fires []time.Time, exhausted bool, err error) {
	known := []string{"id", "trigger", "from", "count", "job"}
	for key := range fields {
		if !slices.Contains(known, key) {
			return nil, false, fmt.Errorf("%s: unknown key, allowed: %s", key, strings.Join(known, ", "))
		}
	}
	if fields["trigger"] == nil {
		return nil, false, errors.New("trigger: is missing")
	}
	t, err := trigger.Parse(fields["trigger"], zone)
	if text := ""; bytes.HasPrefix(fields["trigger"], []byte{'"'}) && json.Unmarshal(fields["trigger"], &text) == nil {
		t, err = trigger.ParseText(text, zone)
	}
	if err != nil {
		return nil, false, fmt.Errorf("trigger: %w", err)
	}
	job := ""
	if given := fields["job"]; given != nil && json.Unmarshal(given, &job) != nil {
		return nil, false, errors.New("job: must be text")
	}
	var from time.Time
	if err := json.Unmarshal(fields["from"], &from); err != nil || from.IsZero() {
		return nil, false, errors.New("from: must be an instant such as 2026-01-02T15:04:05Z")
	}
	count := defaultCount
	if given := fields["count"]; given != nil {
		if err := json.Unmarshal(given, &count); err != nil || count < 1 || count > maxCount {
			return nil, false, fmt.Errorf("count: %s is out of range, allowed: 1 to %d", given, maxCount)
		}
	}
	fires, exhausted = service.NextFires(t, job, from, count)
	return fires, exhausted, nil
}
