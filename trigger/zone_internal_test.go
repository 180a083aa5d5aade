package trigger

import (
	"archive/zip"
	"math"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // a machine need not have zone files
)

// tzNames are the names of all zones in the data base that comes with Go, or, where its file is not at hand, sixty of them with changes of every sort.
func tzNames() []string {
	archive, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip")) //nolint:staticcheck // the tests run where Go is
	if err != nil {
		return strings.Fields(`UTC Africa/Cairo Africa/Casablanca Africa/El_Aaiun Africa/Johannesburg Africa/Juba
			Africa/Monrovia Africa/Windhoek America/Asuncion America/Caracas America/Chicago America/Godthab
			America/Havana America/Indiana/Winamac America/Juneau America/Lima America/Los_Angeles America/Mexico_City
			America/New_York America/Noronha America/Port-au-Prince America/Santiago America/Sao_Paulo
			America/Scoresbysund America/St_Johns Antarctica/Casey Antarctica/Troll Asia/Amman Asia/Beirut
			Asia/Colombo Asia/Dhaka Asia/Gaza Asia/Hebron Asia/Jerusalem Asia/Kathmandu Asia/Kolkata Asia/Manila
			Asia/Pyongyang Asia/Shanghai Asia/Tehran Asia/Tokyo Atlantic/Azores Australia/Lord_Howe
			Australia/Sydney Europe/Amsterdam Europe/Berlin Europe/Dublin Europe/Istanbul Europe/Lisbon
			Europe/London Europe/Moscow Europe/Volgograd Pacific/Apia Pacific/Chatham Pacific/Easter
			Pacific/Fakaofo Pacific/Fiji Pacific/Kiritimati Pacific/Kwajalein Pacific/Norfolk`)
	}
	defer archive.Close() //nolint:errcheck // read only
	var names []string
	for _, file := range archive.File {
		if !strings.HasSuffix(file.Name, "/") {
			names = append(names, file.Name)
		}
	}
	return names
}

// TestZoneTables compares the table of every zone with package time, from the
// year 1 to 9999.
func TestZoneTables(t *testing.T) {
	t.Parallel()
	names := tzNames()
	if len(names) < 60 {
		t.Fatalf("%d zones", len(names))
	}
	t.Logf("%d zones", len(names))
	for n, name := range names {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := newZone(loc)
		checkPeriods(t, name, z)
		random := rand.New(rand.NewPCG(uint64(n), 1))
		for i := range 3000 {
			at := firstInstant + random.Int64N(maxInstant-firstInstant)
			switch i % 4 {
			case 1: // where the zones have their history
				at = indexStart + random.Int64N(2_200_000_000+2_208_988_800)
			case 2: // near a change, in the table or in one of the cycles behind it
				p := z.at(at)
				if p.end >= maxInstant {
					continue
				}
				at = p.end + random.Int64N(5) - 2
			case 3: // around a new year, where the rules of package time begin anew
				at = dayNumber(1+random.IntN(maxYear), 1, 1)*secondsPerDay + random.Int64N(3*secondsPerDay) - 2*secondsPerDay
			}
			checkAt(t, z, at)
		}
	}
}

// checkPeriods wants a table without holes, of periods that differ, and an
// index that agrees with it.
func checkPeriods(t *testing.T, name string, z *zone) {
	t.Helper()
	start := int64(math.MinInt64)
	for i, p := range z.periods {
		if p.start != start || p.end <= p.start {
			t.Errorf("%s: period %d of %d is %+v, after one that ends at %d", name, i, len(z.periods), p, start)
		}
		if i > 0 && p.offset == z.periods[i-1].offset {
			t.Errorf("%s: no change of the offset at %v", name, time.Unix(p.start, 0).UTC())
		}
		if i > 0 && max(p.offset-z.periods[i-1].offset, z.periods[i-1].offset-p.offset) >= maxTurn {
			t.Errorf("%s: the clocks are turned by more than maxTurn at %v", name, time.Unix(p.start, 0).UTC())
		}
		start = p.end
	}
	if start < tableEnd {
		t.Errorf("%s: the table ends at %v", name, time.Unix(start, 0).UTC())
	}
	if len(z.periods) == 1 {
		return
	}
	for i, number := range z.index {
		at := indexStart + int64(i)<<indexBits
		if p := z.periods[number]; at < p.start || at >= p.end {
			t.Errorf("%s: the index says %+v of %v", name, p, time.Unix(at, 0).UTC())
		}
	}
}

// checkAt compares an offset with package time's.
func checkAt(t *testing.T, z *zone, at int64) {
	t.Helper()
	p := z.at(at)
	if at < p.start || at >= p.end {
		t.Errorf("%v: %v is not in the period %+v", z, time.Unix(at, 0).UTC(), p)
	}
	if _, offset := time.Unix(at, 0).In(z.Location).Zone(); int64(offset) != p.offset {
		t.Errorf("%v: %v is at offset %d, package time says %d", z, time.Unix(at, 0).UTC(), p.offset, offset)
	}
}

// TestZoneCycle compares the table with itself 400 years later, where the rule
// of every zone has begun again.
func TestZoneCycle(t *testing.T) {
	t.Parallel()
	for n, name := range tzNames() {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := newZone(loc)
		random := rand.New(rand.NewPCG(uint64(n), 2))
		for range 500 {
			at := int64(tableEnd) + random.Int64N(maxInstant-tableEnd)
			p, q := z.at(at), z.at(at-cycle400)
			if p.offset != q.offset || p.end != math.MaxInt64 && p.end-cycle400 != q.end {
				t.Errorf("%s at %v: %+v, 400 years before %+v", name, time.Unix(at, 0).UTC(), p, q)
			}
		}
	}
}

// TestZoneOf wants one table a location, also when many ask at once.
func TestZoneOf(t *testing.T) {
	t.Parallel()
	loc, err := time.LoadLocation("Europe/Berlin") // a location of its own
	if err != nil {
		t.Fatal(err)
	}
	tables := make(chan *zone)
	for range 8 {
		go func() { tables <- zoneOf(loc) }()
	}
	first := <-tables
	for range 7 {
		if z := <-tables; z != first {
			t.Error("two tables of one location")
		}
	}
	if zoneOf(nil).String() != "UTC" || len(zoneOf(nil).periods) != 1 {
		t.Errorf("no location is %v", zoneOf(nil))
	}
	if z := zoneOf(time.FixedZone("", 3600)); z.at(0).offset != 3600 || z.at(maxInstant).offset != 3600 || z.at(firstInstant).offset != 3600 {
		t.Error("a fixed zone is not")
	}
}

// TestResolve wants the first instant at which the clocks show a time or later.
func TestResolve(t *testing.T) {
	t.Parallel()
	for n, name := range tzNames() {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		z := newZone(loc)
		random := rand.New(rand.NewPCG(uint64(n), 3))
		for range 200 {
			at := indexStart + random.Int64N(6_000_000_000)
			if p := z.at(at); p.end < maxInstant && random.IntN(4) > 0 {
				at = p.end + random.Int64N(20_000) - 10_000
			}
			wall := z.wall(at)
			got := z.resolve(wall)
			if got > at || z.wall(got) < wall {
				t.Fatalf("%s: %v is resolved to %v, but also shown at %v", name, time.Unix(wall, 0).UTC(), time.Unix(got, 0).UTC(), time.Unix(at, 0).UTC())
			}
			// None of the instants before shows it.
			for before := got - 1; before > got-maxTurn; before -= 600 {
				if z.wall(before) >= wall {
					t.Fatalf("%s: %v is resolved to %v, but %v shows it or later", name, time.Unix(wall, 0).UTC(), time.Unix(got, 0).UTC(), time.Unix(before, 0).UTC())
				}
			}
		}
	}
}
