package trigger

// OnGap says what becomes of a wall-clock time that does not exist, because
// the clocks were turned forward over it.
type OnGap string

// The choices of OnGap. Empty means GapAfter for plans of fixed times and
// GapSkip for those that fire every so often, see the package documentation.
const (
	GapAfter OnGap = "after" // fires at the first instant after the gap, once for all of its times
	GapSkip  OnGap = "skip"  // does not fire
)

// OnFold says what becomes of a wall-clock time that comes twice, because the
// clocks were turned back over it.
type OnFold string

// The choices of OnFold. Empty means FoldFirst for plans of fixed times and
// FoldBoth for those that fire every so often, see the package documentation.
const (
	FoldFirst  OnFold = "first"  // fires at the first occurrence
	FoldSecond OnFold = "second" // fires at the second
	FoldBoth   OnFold = "both"   // fires at both
)

// rule is how a plan meets a change of its zone's clocks. The zero value is the
// default of plans of fixed times.
type rule struct {
	skip      bool // of a time in a gap
	fold      fold
	gapGiven  bool // by the caller, not by default
	foldGiven bool
}

type fold uint8

const (
	foldFirst fold = iota
	foldSecond
	foldBoth
)

func folds() []OnFold { return []OnFold{FoldFirst, FoldSecond, FoldBoth} }

// newRule makes the rule of a plan; elapsed tells whether it fires every so
// often.
func newRule(gap OnGap, onFold OnFold, elapsed bool) (r rule, err error) {
	if elapsed {
		r.skip, r.fold = true, foldBoth
	}
	switch gap {
	case "":
	case GapAfter, GapSkip:
		r.skip, r.gapGiven = gap == GapSkip, true
	default:
		return r, &Error{Field: "on_gap", Given: string(gap), Problem: "is not known, allowed after, skip"}
	}
	switch onFold {
	case "":
	case FoldFirst:
		r.fold, r.foldGiven = foldFirst, true
	case FoldSecond:
		r.fold, r.foldGiven = foldSecond, true
	case FoldBoth:
		r.fold, r.foldGiven = foldBoth, true
	default:
		return r, &Error{Field: "on_fold", Given: string(onFold), Problem: "is not known, allowed first, second, both"}
	}
	return r, nil
}

// given returns what the caller chose, empty for defaults.
func (r rule) given() (gap OnGap, onFold OnFold) {
	if r.gapGiven {
		gap = GapAfter
		if r.skip {
			gap = GapSkip
		}
	}
	if r.foldGiven {
		onFold = folds()[r.fold]
	}
	return gap, onFold
}

// wallClock is a plan that knows wall-clock time only.
type wallClock interface {
	// next gives the first time of the plan at or after wall.
	next(wall int64) (int64, bool)
}

// nextFire gives the first fire after an instant of a plan in a zone, in Unix
// seconds.
func (r rule) nextFire(c wallClock, z *zone, after int64) (int64, bool) {
	from := min(max(after, firstInstant), maxInstant) + 1 // no fire lies outside
	p := z.at(from)
	wall, ok := c.next(from + p.offset)
	if p.start <= from-maxTurn {
		// Mostly no change of the offset is near either instant. Then each
		// wall-clock time is one instant, whatever the rule.
		if ok && wall-p.offset < p.end-maxTurn {
			return wall - p.offset, true
		}
		if from < p.end-maxTurn {
			if !ok {
				return 0, false
			}
			p = z.at(wall - p.offset)
			if at := wall - p.offset; p.start <= at-maxTurn && at < p.end-maxTurn {
				return at, true
			}
		}
	}
	if len(z.periods) == 1 {
		return 0, false
	}
	return r.walk(c, z, z.at(from), from)
}

// walk goes through the periods from p on, which holds the instant from.
func (r rule) walk(c wallClock, z *zone, p period, from int64) (int64, bool) {
	for {
		shown, hidden := int64(firstInstant), int64(maxInstant)*2
		if p.start > from-maxTurn {
			shown = z.peak(p)
		}
		if r.fold == foldSecond {
			hidden = z.trough(p)
		}
		if !r.skip && p.start >= from {
			// A gap ends where the period begins.
			gap := max(p.start+z.at(p.start-1).offset, shown+1)
			if wall, ok := c.next(gap); ok && wall < p.start+p.offset {
				return p.start, true
			}
		}
		begin := max(p.start, from) + p.offset
		if r.fold == foldFirst {
			begin = max(begin, shown+1)
		}
		wall, ok := c.next(begin)
		if ok && wall-p.offset < p.end && wall < hidden {
			return wall - p.offset, true
		}
		// Nothing in this period. The next may begin by showing times before
		// from again; once that is out of the question, it is no use to look
		// long before wall.
		enough := p.end >= from+maxTurn
		from = p.end
		if enough {
			if !ok {
				return 0, false
			}
			from = max(from, wall-maxTurn)
		}
		p = z.at(from)
	}
}
