package redisstore

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/jobcenter-go/jobcenter"
)

func TestInstants(t *testing.T) {
	t.Parallel()
	ascending := []time.Time{
		{},
		time.Date(1, 1, 1, 0, 0, 0, 1000, time.UTC),
		time.Date(1969, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Unix(0, 0),
		time.Date(2026, 11, 6, 8, 30, 0, 123_456_000, time.UTC),
		time.Date(2026, 11, 6, 8, 30, 0, 123_457_000, time.UTC),
		time.Date(2255, 6, 5, 23, 47, 34, 740_993_000, time.UTC), // beyond 2^53 µs
		time.Date(2255, 6, 5, 23, 47, 34, 740_994_000, time.UTC),
		jobcenter.AtStart().Add(-time.Microsecond),
		jobcenter.AtStart(),
	}
	var texts []string
	for _, at := range ascending {
		text := instant(at)
		back, err := parseInstant(text)
		if err != nil || !back.Equal(at) || back.Location() != time.UTC {
			t.Errorf("%v is written as %s, read as %v, %v", at, text, back, err)
		}
		if len(text) != digits {
			t.Errorf("%v is written as %s, not in %d digits", at, text, digits)
		}
		texts = append(texts, text)
	}
	if !slices.IsSorted(texts) || len(slices.Compact(slices.Clone(texts))) != len(texts) {
		t.Errorf("not in the order of time: %q", texts)
	}
	for _, bad := range []string{"x", "10179x", "1.5"} {
		if at, err := parseInstant(bad); err == nil {
			t.Errorf("%q was read as %v", bad, at)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	on := time.Date(2026, 11, 6, 8, 30, 0, 5000, time.UTC)
	for _, test := range []struct{ got, want string }{
		{after(on), instant(on.Add(time.Microsecond))},
		{after(on.Add(1)), instant(on.Add(time.Microsecond))},
		{instantUp(on), instant(on)},
		{instantUp(on.Add(1)), instant(on.Add(time.Microsecond))},
	} {
		if test.got != test.want {
			t.Errorf("got %s, want %s", test.got, test.want)
		}
	}
}

// fill gives each field of a struct a value other than zero.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Interface().(type) {
		case time.Time:
			f.Set(reflect.ValueOf(time.UnixMicro(int64(1_800_000_000_000_000 + i)).UTC()))
		case json.RawMessage:
			f.SetBytes([]byte(`{"n": ` + strconv.Itoa(i) + "}\x00\xff"))
		case *int:
			f.Set(reflect.ValueOf(&i))
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString("%2F/%25 text " + strconv.Itoa(i) + "\x00")
			case reflect.Int, reflect.Int64:
				f.SetInt(int64(100 + i))
			default:
				t.Fatalf("field %s: a %s", v.Type().Field(i).Name, f.Kind())
			}
		}
	}
}

// TestRunFields is also about fields that a run gets in the future: none may
// be forgotten.
func TestRunFields(t *testing.T) {
	t.Parallel()
	var full jobcenter.Run
	fill(t, reflect.ValueOf(&full).Elem())
	zero := jobcenter.Run{ID: "zero", LastFireTime: full.LastFireTime}
	single := jobcenter.Run{ID: "single", FireTime: full.FireTime, LastFireTime: full.FireTime, FireCount: 1}
	for _, want := range []jobcenter.Run{full, zero, single} {
		var hash []any
		for _, value := range runFields(&want) {
			hash = append(hash, value)
		}
		got, _, err := decodeRun(want.ID, hash)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("run %s (-want +got):\n%s", want.ID, d)
		}
	}
	if _, _, err := decodeRun("bad", []any{"attempt", "x"}); err == nil {
		t.Error("an attempt x was read")
	}
}

func TestChunks(t *testing.T) {
	t.Parallel()
	for _, want := range []jobcenter.Chunk{
		{RunID: "r", Attempt: 3, Offset: 1 << 50, Stream: jobcenter.Stderr, At: time.UnixMicro(5).UTC(), Data: []byte("a b \x00\xff\n 1 2 3 4")},
		{RunID: "r", Data: []byte(" ")},
	} {
		got, err := decodeChunk("r", encodeChunk(&want))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	for _, bad := range []string{"", "1 2 3 4", "x 1 stdout 1 data", "1 x stdout 1 data", "1 1 stdout x data"} {
		if chunk, err := decodeChunk("r", bad); err == nil {
			t.Errorf("%q was read as %+v", bad, chunk)
		}
	}
}

func TestOrdered(t *testing.T) {
	t.Parallel()
	sorted := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x01", "\x01\x00", "\x02", "a", "a\x00", "a\x01", "a\x02", "aa", "é", "\xff"}
	var texts []string
	for _, s := range sorted {
		texts = append(texts, ordered(s)+"\x00id")
	}
	if !slices.IsSorted(texts) {
		t.Errorf("not in the order of what they stand for: %q", texts)
	}
}
