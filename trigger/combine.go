package trigger

import (
	"errors"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// And fires when all of its parts fire at the same instant.
type And struct {
	combined
	eval []Trigger // fires at the same instants as all the parts, see merge
}

// Or fires when any of its parts fires; once where several do.
type Or struct{ combined }

// combined is a list of triggers, with bounds of its own.
type combined struct {
	base
	parts []Trigger
}

// maxParts is how many triggers may be combined, maxDepth how deep.
const (
	maxParts = 64
	maxDepth = 8
)

// NewAnd makes a trigger that fires when all the given ones do. Its time zone
// is opts.Zone or, if that is nil, that of the first part. Errors: an [*Error]
// for no part or more than 64, and for intervals that can never meet.
func NewAnd(parts []Trigger, opts Options) (*And, error) {
	c, err := newCombined(parts, opts)
	if err != nil {
		return nil, err
	}
	if err := meet(parts); err != nil {
		return nil, err
	}
	return &And{combined: c, eval: merge(c.parts)}, nil
}

// NewOr makes a trigger that fires when any of the given ones does. Its time
// zone is opts.Zone or, if that is nil, that of the first part. Errors: an
// [*Error] for no part or more than 64.
func NewOr(parts []Trigger, opts Options) (*Or, error) {
	c, err := newCombined(parts, opts)
	if err != nil {
		return nil, err
	}
	return &Or{c}, nil
}

func newCombined(parts []Trigger, opts Options) (c combined, err error) {
	switch {
	case len(parts) == 0:
		return c, &Error{Field: "triggers", Problem: "is empty, allowed 1 to 64 triggers"}
	case len(parts) > maxParts:
		return c, &Error{Field: "triggers", Problem: "has " + count(len(parts), "trigger") + ", allowed 1 to 64"}
	case slices.Contains(parts, nil):
		return c, &Error{Field: "triggers", Problem: "has a nil among them"}
	}
	for i, part := range parts {
		switch {
		case depth(part) >= maxDepth:
			return c, &Error{Field: "triggers", Problem: "are combined too deep, allowed are 8 levels"}
		case AtStart(part):
			return c, inPart(&Error{Field: "expression", Given: "@reboot", Problem: "has no fire times to combine; make it a job of its own"}, i)
		}
	}
	if err := opts.withoutRule(); err != nil {
		return c, err
	}
	if opts.Zone == nil {
		opts.Zone = Zone(parts[0])
	}
	c.parts = slices.Clone(parts)
	c.base, err = newBase(opts, false)
	return c, err
}

// partsOf gives the triggers that a trigger is made of.
func partsOf(t Trigger) []Trigger {
	switch t := t.(type) {
	case *And:
		return t.parts
	case *Or:
		return t.parts
	case *Modified:
		return partsOf(t.inner)
	}
	return nil
}

func depth(t Trigger) int {
	deepest := 0
	for _, part := range partsOf(t) {
		deepest = max(deepest, depth(part))
	}
	return deepest + 1
}

// inPart names the part of a combination that has an error.
func inPart(err error, i int) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	in := *e
	in.Field = "triggers[" + strconv.Itoa(i) + "]"
	if e.Field != "" {
		in.Field += "." + e.Field
	}
	return &in
}

func (a *And) kind() string            { return "and" }
func (a *And) describe(w words) string { return w.all(describeParts(a.parts, w)) }
func (o *Or) kind() string             { return "or" }
func (o *Or) describe(w words) string  { return w.any(describeParts(o.parts, w)) }

func (c *combined) encode(f *form) { f.parts = c.parts }

func describeParts(parts []Trigger, w words) []string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		if n, ok := part.(native); ok {
			texts[i] = n.describe(w)
		}
	}
	return texts
}

// begin gives the latest instant before the first that the bounds allow, or
// after.
func (c *combined) begin(after time.Time) time.Time {
	if c.start != noStart && unixMicro(after) < c.start {
		return time.UnixMicro(c.start - 1)
	}
	return after
}

// Next returns the first fire after the given instant.
func (o *Or) Next(after time.Time) (time.Time, bool) {
	after = o.begin(after)
	var first time.Time
	found := false
	for _, part := range o.parts {
		if fire, ok := part.Next(after); ok && (!found || fire.Before(first)) {
			first, found = fire, true
		}
	}
	return o.within(first, found)
}

// within gives a fire in the trigger's zone, or none if it is past the end.
func (c *combined) within(fire time.Time, ok bool) (time.Time, bool) {
	if !ok || fire.UnixMicro() > c.end {
		return time.Time{}, false
	}
	return fire.In(c.zone.Location), true
}

// maxMeetings is how often the parts of an And, or a plan and its calendar, may
// pass each other by before they count as never meeting. One part jumps to the
// fire of the next at each try, so it is rare plans that are far apart, not
// dense ones, which come near it.
const maxMeetings = 8000

// Next returns the first fire after the given instant. Parts that have passed
// each other by 8,000 times count as never meeting again.
func (a *And) Next(after time.Time) (time.Time, bool) {
	after = a.begin(after)
	at, ok := a.eval[0].Next(after)
	agreed := 1 // how many parts in a row fire at that instant
	for tries := 0; ok && agreed < len(a.eval); tries++ {
		if tries > maxMeetings || at.UnixMicro() > a.end {
			return time.Time{}, false
		}
		var fire time.Time
		fire, ok = a.eval[(tries+1)%len(a.eval)].Next(at.Add(-time.Nanosecond))
		if fire.Equal(at) {
			agreed++
		} else {
			at, agreed = fire, 1
		}
	}
	return a.within(at, ok)
}

// merge makes one trigger of those parts of an And that are intervals, and one
// of those that are plans of the same zone: they need not be asked in turn, and
// plans that never meet are found out at once.
func merge(parts []Trigger) []Trigger {
	var merged []Trigger
	for _, part := range parts {
		done := false
		for i, other := range merged {
			if both := intersect(other, part); both != nil {
				merged[i], done = both, true
				break
			}
		}
		if !done {
			merged = append(merged, part)
		}
	}
	return merged
}

// intersect gives a trigger that fires when both do, or nil.
func intersect(a, b Trigger) Trigger {
	if a, ok := a.(*Interval); ok {
		if b, ok := b.(*Interval); ok {
			return intersectIntervals(a, b)
		}
		return nil
	}
	p, q := planOf(a), planOf(b)
	if p == nil || q == nil {
		return nil
	}
	x, y := a.(native).core(), b.(native).core()
	if x.zone != y.zone || x.rule != y.rule || p.special != nil || q.special != nil || p.eitherDay || q.eitherDay || p.years != nil && q.years != nil {
		return nil
	}
	both := *p
	both.seconds &= q.seconds
	both.minutes &= q.minutes
	both.hours &= q.hours
	both.days &= q.days
	both.months &= q.months
	both.weekdays &= q.weekdays
	both.weeks &= q.weeks
	if both.years == nil {
		both.years = q.years
	}
	if both.seconds == 0 || both.minutes == 0 || both.hours == 0 || both.months == 0 {
		both.never = true
	} else {
		both.finish()
	}
	c := &Cron{plan: both, base: *x}
	c.bounds = bounds{max(x.start, y.start), min(x.end, y.end)}
	return c
}

// planOf gives the fields of a trigger that is a plan without modifiers.
func planOf(t Trigger) *plan {
	switch t := t.(type) {
	case *Cron:
		return &t.plan
	case *Crontab:
		if t.every == nil && !t.reboot {
			return &t.plan
		}
	case *Quartz:
		return &t.plan
	}
	return nil
}

// intersectIntervals solves x = a.start + i*a.every = b.start + j*b.every
// (the Chinese remainder theorem).
func intersectIntervals(a, b *Interval) Trigger {
	if a.start == noStart || b.start == noStart {
		return nil
	}
	divisor := gcd(a.every, b.every)
	apart := b.start - a.start
	if apart%divisor != 0 {
		return nil // refused by meet, or not asked about yet
	}
	size := uint64(b.every / divisor)
	i := mulMod(uint64(floorMod(apart/divisor, int64(size))), inverse(uint64(a.every/divisor)%size, size), size)
	const never = 4 * maxInstant * 1e6
	both := &Interval{base: a.base, every: never}
	if high, low := bits.Mul64(uint64(a.every), size); high == 0 && low < never {
		both.every = int64(low)
	}
	both.start = never
	if high, low := bits.Mul64(uint64(a.every), i); high == 0 && low < never {
		both.start = a.start + int64(low)
	}
	switch {
	case both.start >= b.start:
	case both.every == never:
		both.start = never
	default: // count on to where b has begun
		both.start += (b.start - both.start + both.every - 1) / both.every * both.every
	}
	both.end = min(a.end, b.end)
	return both
}

// inverse gives the number whose product with a is 1 modulo m, where the two
// have no divisor in common (the extended Euclidean algorithm).
func inverse(a, m uint64) uint64 {
	r, next := int64(m), int64(a)
	t, nextT := int64(0), int64(1)
	for next != 0 {
		q := r / next
		r, next = next, r-q*next
		t, nextT = nextT, t-q*nextT
	}
	return uint64(floorMod(t, int64(m)))
}

// meet finds intervals among the parts of an And whose fires never coincide.
func meet(parts []Trigger) error {
	for i, part := range parts {
		a, ok := part.(*Interval)
		if !ok || a.start == noStart {
			continue
		}
		for j, other := range parts[:i] {
			b, ok := other.(*Interval)
			if ok && b.start != noStart && floorMod(a.start-b.start, gcd(a.every, b.every)) != 0 {
				return &Error{
					Field:   "triggers",
					Problem: "cannot meet: numbers " + strconv.Itoa(j+1) + " and " + strconv.Itoa(i+1) + " are intervals that never fire at the same instant",
				}
			}
		}
	}
	return nil
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
