package trigger

import (
	"errors"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"time"
)

// And fires when all of its parts fire at the same instant.
type And struct {
	combined
	eval   []Trigger // fires at the same instants as all the parts, see merge
	nested bool      // one of them searches
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
	return newAnd(c), nil
}

// newAnd finds out what to ask.
func newAnd(c combined) *And {
	a := &And{combined: c, eval: merge(c.parts)}
	a.nested = slices.ContainsFunc(a.eval, searches)
	return a
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
	fire, ok, _ := o.seek(after, unlimited)
	return fire, ok
}

func (o *Or) seek(after time.Time, left int) (time.Time, bool, int) {
	after = o.begin(after)
	var first time.Time
	found := false
	for _, part := range o.parts {
		var fire time.Time
		var ok bool
		if fire, ok, left = seek(part, after, left); ok && (!found || fire.Before(first)) {
			first, found = fire, true
		}
	}
	first, found = o.within(first, found && left > 0) // what a part that was not asked gives is not known
	return first, found, left
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
// dense ones, which come near it. maxNested is for all of them together where
// one of those parts is such a search itself: else eight levels of an And would
// try 6,000 times 6,000 times and so on.
const (
	maxMeetings = 6000
	maxNested   = 30_000
)

// seeker is a trigger that may have to ask others many times over.
type seeker interface {
	// seek is Next with a limit of how often others are asked. It gives what
	// is left of that; 0 or less means that it was not enough, and that there
	// is no fire for this reason.
	seek(after time.Time, left int) (fire time.Time, ok bool, rest int)
}

// unlimited leaves it to each of the triggers asked to limit itself.
const unlimited = math.MaxInt

func seek(t Trigger, after time.Time, left int) (fire time.Time, ok bool, rest int) {
	if left == unlimited {
		fire, ok = t.Next(after)
		return fire, ok, unlimited
	}
	if left <= 0 {
		return fire, false, 0
	}
	if s, ok := t.(seeker); ok {
		return s.seek(after, left)
	}
	fire, ok = t.Next(after)
	return fire, ok, left - 1
}

// searches tells whether a trigger may have to ask others many times over.
func searches(t Trigger) bool {
	switch t := t.(type) {
	case *And:
		return true
	case *Or:
		return slices.ContainsFunc(t.parts, searches)
	case *Modified:
		return t.with.Calendar != nil || t.with.Jitter != 0 || searches(t.inner)
	}
	return false
}

// Next returns the first fire after the given instant. Parts that have passed
// each other by 6,000 times count as never meeting again.
func (a *And) Next(after time.Time) (time.Time, bool) {
	left := maxMeetings
	if a.nested {
		left = maxNested
	}
	fire, ok, _ := a.seek(after, left)
	return fire, ok
}

func (a *And) seek(after time.Time, left int) (time.Time, bool, int) {
	after = a.begin(after)
	at, ok, left := seek(a.eval[0], after, left)
	for i, agreed := 0, 1; ok && agreed < len(a.eval); { // so many parts in a row fire at that instant
		if at.UnixMicro() > a.end {
			return time.Time{}, false, left
		}
		if i++; i == len(a.eval) {
			i = 0
		}
		var fire time.Time
		fire, ok, left = seek(a.eval[i], at.Add(-time.Nanosecond), left)
		if fire.Equal(at) {
			agreed++
		} else {
			at, agreed = fire, 1
		}
	}
	at, ok = a.within(at, ok)
	return at, ok, left
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
	if i, j := intervalOf(a), intervalOf(b); i != nil && j != nil {
		return intersectIntervals(i, j)
	}
	p, q := planOf(a), planOf(b)
	if p == nil || q == nil {
		return nil
	}
	x, y := a.(native).core(), b.(native).core()
	switch {
	case x.zone != y.zone, x.rule != y.rule:
		return nil
	case !x.rule.skip && len(x.zone.periods) > 1:
		return nil // both fire after a gap, each for a time of its own in it
	case p.special != nil, q.special != nil, p.eitherDay, q.eitherDay, p.years != nil && q.years != nil:
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

// intervalOf gives a trigger as an interval, nil if it is not one.
func intervalOf(t Trigger) *Interval {
	switch t := t.(type) {
	case *Interval:
		return t
	case *Crontab:
		return t.every
	}
	return nil
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

// begin gives the first fire, for an interval without a start the first that
// anybody can ask about.
func (i *Interval) begin() int64 {
	if i.start != noStart {
		return i.start
	}
	return firstInstant * 1e6 / i.every * i.every
}

// intersectIntervals solves x = a.start + i*a.every = b.start + j*b.every
// (the Chinese remainder theorem).
func intersectIntervals(a, b *Interval) Trigger {
	divisor := gcd(a.every, b.every)
	begin, other := a.begin(), b.begin()
	apart := other - begin
	if apart%divisor != 0 {
		return nil // refused by meet
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
		both.start = begin + int64(low)
	}
	switch {
	case both.start >= other:
	case both.every == never:
		both.start = never
	default: // count on to where b has begun
		both.start += (other - both.start + both.every - 1) / both.every * both.every
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
		a := intervalOf(part)
		if a == nil {
			continue
		}
		for j, other := range parts[:i] {
			b := intervalOf(other)
			if b != nil && floorMod(a.begin()-b.begin(), gcd(a.every, b.every)) != 0 {
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
