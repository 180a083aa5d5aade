package trigger

import (
	"math/bits"
	"strconv"
	"strings"
)

// Convert says the same plan in another kind: "cron", "crontab" and "quartz"
// into each other, "date" and a "calendar_interval" of one day, week, month or
// year, or of months that divide a year, into these three, and "@every" of
// crontab and "interval" into each other. The new trigger fires at exactly the
// same instants; bounds, zone, rule for daylight saving and modifiers are kept.
// Errors: an [*Error] that says why the meaning cannot be kept.
func Convert(t Trigger, kind string) (Trigger, error) {
	n, ok := t.(native)
	if !ok {
		return nil, &Error{Field: "type", Problem: "this trigger cannot be converted"}
	}
	if n.kind() == kind {
		return t, nil
	}
	if m, ok := t.(*Modified); ok {
		inner, err := Convert(m.inner, kind)
		if err != nil {
			return nil, err
		}
		return Modify(inner, m.with)
	}
	opts := optionsOf(n.core())
	switch kind {
	case "cron", "crontab", "quartz":
	case "interval":
		if c, ok := t.(*Crontab); ok && c.every != nil {
			return NewInterval(c.every.Every(), opts)
		}
		fallthrough
	default:
		return nil, noConversion(n.kind(), kind, "only cron, crontab and quartz say the same plans")
	}
	if i, ok := t.(*Interval); ok && kind == "crontab" {
		return NewCrontab("@every "+i.Every().String(), opts)
	}
	p, err := planFor(n, kind)
	if err != nil {
		return nil, err
	}
	return p.as(kind, n, opts)
}

func noConversion(from, to, why string) *Error {
	return &Error{Field: "type", Problem: from + " cannot be converted to " + to + ": " + why}
}

// optionsOf gives the options that a trigger was made with.
func optionsOf(b *base) Options {
	o := Options{Zone: b.zone.Location, Start: microTime(b.start, b.zone), End: microTime(b.end, b.zone)}
	o.OnGap, o.OnFold = b.rule.given()
	return o
}

// planFor gives a trigger as a plan of fields.
func planFor(n native, to string) (*plan, error) {
	if c, ok := n.(*Crontab); ok && c.spread {
		return nil, noConversion("crontab", to, "H and ~ stand for values that the job's id chooses")
	}
	if p := planOf(n); p != nil {
		return p, nil
	}
	p := &plan{weeks: allWeeks, days: allDays, months: allMonths, weekdays: allWeekdays}
	switch t := n.(type) {
	case *Date:
		if t.at%1e6 != 0 {
			return nil, noConversion("date", to, "it has no fractions of a second")
		}
		wall := t.zone.wall(t.at / 1e6)
		day, second := splitWall(wall)
		year, month, dom := civilDate(day)
		if year < minYear {
			return nil, noConversion("date", to, "it has no years before 1970")
		}
		if t.zone.resolve(wall) != t.at/1e6 {
			return nil, noConversion("date", to, "it is the second time that the clocks show "+wallText(wall, noEnd))
		}
		p.years, p.months, p.days = []span{{year, year, 1}}, 1<<uint(month), 1<<uint(dom)
		p.setClock(second)
	case *CalendarInterval:
		s := &t.spec
		months := 12*s.Years + s.Months
		_, month, dom := civilDate(t.first)
		switch {
		case months == 0 && s.Weeks == 0 && s.Days == 1:
		case months == 0 && 7*s.Weeks+s.Days == 7:
			p.weekdays = 1 << uint(weekday(t.first))
		case months > 0 && months <= 12 && 12%months == 0 && s.Weeks == 0 && s.Days == 0:
			p.days = 1 << uint(dom)
			if s.ShortMonth == ShortMonthLast && dom > 28 {
				if dom < 31 || months == 12 {
					return nil, noConversion(n.kind(), to, "short months fire on their last day")
				}
				p.days, p.special = 0, &specialDays{fromEnd: 1}
			}
			p.months = 0
			for m := range 12 {
				if (m+1-month)%months == 0 {
					p.months |= 1 << uint(m+1)
				}
			}
		default:
			return nil, noConversion(n.kind(), to, "the distance is not one day, week, month or year, nor months that divide a year")
		}
		p.setClock(s.Hour*3600 + s.Minute*60 + s.Second)
	default:
		return nil, noConversion(n.kind(), to, "it has no such plans")
	}
	return p, nil
}

// setClock sets one time of day.
func (p *plan) setClock(second int) {
	p.hours, p.minutes, p.seconds = 1<<uint(second/3600), 1<<uint(second/60%60), 1<<uint(second%60)
}

// as writes the plan in another dialect, and makes sure that it is the same.
func (p *plan) as(kind string, from native, opts Options) (Trigger, error) {
	fail := func(why string) (Trigger, error) { return nil, noConversion(from.kind(), kind, why) }
	special := p.specialOrNone()
	dated := p.days != allDays
	named := p.weekdays != allWeekdays
	switch {
	case p.weeks != allWeeks && kind != "cron":
		return fail("it has no ISO weeks")
	case p.eitherDay && kind != "crontab":
		return fail("a day that either of crontab's day fields matches is enough; use two triggers, joined by or")
	case kind == "quartz" && dated && named:
		return fail("it has days of the month or of the week, not both")
	case kind == "cron" && (special.fromEnd&^1 != 0 || special.nearest != 0 || special.nearestEnd != 0):
		return fail("it has neither days before the last nor nearest working days")
	}
	var made Trigger
	var err error
	try := func(o Options) {
		switch kind {
		case "cron":
			made, err = NewCron(p.cronSpec(), o)
		case "quartz":
			made, err = NewQuartz(p.text(kind), o)
		case "crontab":
			if p.special != nil {
				made, err = NewExtendedCrontab(p.text(kind), o)
			} else {
				made, err = NewCrontab(p.text(kind), o)
			}
		}
	}
	// Whether a plan fires every so often is told from how its text begins. If
	// the new text is told otherwise, the rule is given by name.
	if try(opts); err == nil && made.(native).core().rule.unequal(from.core().rule) {
		opts.OnGap, opts.OnFold = from.core().rule.names()
		try(opts)
	}
	if err != nil {
		return fail(err.Error())
	}
	if !p.same(planOf(made)) {
		if kind == "crontab" && dated && named {
			return fail("a day must match both of its day fields only where one of them begins with *")
		}
		return fail("it cannot say these days")
	}
	return made, nil
}

func (r rule) unequal(s rule) bool { return r.skip != s.skip || r.fold != s.fold }

// names gives the choices that make a rule, given or not.
func (r rule) names() (OnGap, OnFold) {
	r.gapGiven, r.foldGiven = true, true
	return r.given()
}

// same tells whether two plans match the same wall-clock times. The days of a
// month follow from its length and its first weekday alone, but for ISO weeks.
func (p *plan) same(q *plan) bool {
	if p.seconds != q.seconds || p.minutes != q.minutes || p.hours != q.hours || p.months != q.months || p.weeks != q.weeks || !sameYears(p.years, q.years) {
		return false
	}
	a, b := *p, *q
	a.weeks, b.weeks = allWeeks, allWeeks
	for year := 2000; year < 2400; year++ {
		for month := 1; month <= 12; month++ {
			if first := dayNumber(year, month, 1); a.monthDays(year, month, first) != b.monthDays(year, month, first) {
				return false
			}
		}
		if year == 2027 { // each month has had all its forms, as the calendar of these years repeats after 28
			break
		}
	}
	return true
}

func sameYears(a, b []span) bool {
	p, q := plan{years: a}, plan{years: b}
	for year := minYear; year <= maxYear; year++ {
		next := p.nextYear(year)
		if next != q.nextYear(year) {
			return false
		}
		year = next
	}
	return true
}

// setText writes a set of values in a form that all dialects share. star is
// what to write for all of them, low and high are the ends of the field.
func (p *plan) setText(set uint64, low, high int, star string) string {
	if set == (span{low, high, 1}).set() {
		return star
	}
	first, last := nextBit(set, 0), bits.Len64(set)-1
	if n := bits.OnesCount64(set); n > 2 {
		step := nextBit(set, first+1) - first
		if step > 1 && set == (span{first, last, step}).set() {
			if first == low && last+step > high {
				return "*/" + strconv.Itoa(step)
			}
			return strconv.Itoa(first) + "-" + strconv.Itoa(last) + "/" + strconv.Itoa(step)
		}
	}
	var list []string
	runs(set, func(from, to int) {
		if to-from >= 2 {
			list = append(list, strconv.Itoa(from)+"-"+strconv.Itoa(to))
			return
		}
		for n := from; n <= to; n++ {
			list = append(list, strconv.Itoa(n))
		}
	})
	return strings.Join(list, ",")
}

func (p *plan) yearText() string {
	list := make([]string, len(p.years))
	for i, s := range p.years {
		list[i] = strconv.Itoa(s.first)
		if s.last != s.first {
			list[i] += "-" + strconv.Itoa(s.last)
		}
		if s.step > 1 {
			list[i] += "/" + strconv.Itoa(s.step)
		}
	}
	return strings.Join(list, ",")
}

// cronSpec writes the fields of cron. With the second given, those left out are
// all *.
func (p *plan) cronSpec() CronSpec {
	spec := CronSpec{
		Year:   p.yearText(),
		Month:  p.setText(uint64(p.months), 1, 12, ""),
		Week:   p.setText(p.weeks, 1, 53, ""),
		Hour:   p.setText(uint64(p.hours), 0, 23, ""),
		Minute: p.setText(p.minutes, 0, 59, ""),
		Second: p.setText(p.seconds, 0, 59, "*"),
	}
	special := p.specialOrNone()
	var days []string
	if p.days != 0 && p.days != allDays {
		days = append(days, p.setText(uint64(p.days), 1, 31, ""))
	}
	if special.fromEnd&1 != 0 {
		days = append(days, "last")
	}
	for i := range special.nth {
		runs(uint64(special.nth[i]|special.weekdayNth[i]), func(from, to int) {
			for w := from; w <= to; w++ {
				days = append(days, []string{"1st", "2nd", "3rd", "4th", "5th", "last"}[i]+" "+sundayNames[3*w:3*w+3])
			}
		})
	}
	spec.Day = strings.Join(days, ",")
	spec.DayOfWeek = strings.Join(weekdayNames(p.weekdays), ",")
	return spec
}

// weekdayNames lists weekdays by name, Monday first: names mean the same day in
// all dialects. The list is empty for all of them.
func weekdayNames(set uint8) []string {
	if set == allWeekdays {
		return nil
	}
	name := func(n int) string { return sundayNames[3*(n%7) : 3*(n%7)+3] }
	var list []string
	runs(mondayFirst(set), func(from, to int) {
		switch {
		case to == 7 && to > from: // Sunday may not end a range of crontab by name
			if to-1-from >= 2 {
				list = append(list, name(from)+"-"+name(to-1))
			} else {
				for n := from; n < to; n++ {
					list = append(list, name(n))
				}
			}
			list = append(list, name(to))
		case to-from >= 2:
			list = append(list, name(from)+"-"+name(to))
		default:
			for n := from; n <= to; n++ {
				list = append(list, name(n))
			}
		}
	})
	return list
}

// text writes the expression of crontab or quartz.
func (p *plan) text(kind string) string {
	quartz := kind == "quartz"
	special := p.specialOrNone()
	nth := special.weekdayNth
	days := p.days
	if special.nth != ([6]uint8{}) && p.days == 0 && p.weekdays == allWeekdays {
		// cron's "2nd fri" is a day; here it is a weekday.
		nth, days = special.nth, allDays
	}
	var dom, dow []string
	if days != 0 && days != allDays {
		text := p.setText(uint64(days), 1, 31, "*")
		if p.eitherDay { // with * first, both day fields of crontab must match
			text = strings.Replace(text, "*", "1-31", 1)
		}
		dom = append(dom, text)
	}
	eachBit(special.fromEnd, func(n int) { dom = append(dom, "L"+before(n)) })
	eachBit(special.nearest, func(n int) { dom = append(dom, strconv.Itoa(n)+"W") })
	eachBit(special.nearestEnd, func(n int) { dom = append(dom, "L"+before(n)+"W") })
	dow = append(dow, weekdayNames(p.weekdays)...)
	for i, set := range nth {
		eachBit(uint32(set), func(n int) {
			name := sundayNames[3*n : 3*n+3]
			if i == lastOfMonth {
				dow = append(dow, name+"L")
			} else {
				dow = append(dow, name+"#"+strconv.Itoa(i+1))
			}
		})
	}
	domText, dowText := strings.Join(dom, ","), strings.Join(dow, ",")
	switch {
	case quartz && dowText != "":
		domText = "?"
	case quartz:
		dowText = "?"
	}
	if domText == "" {
		domText = "*"
	}
	if dowText == "" {
		dowText = "*"
	}
	fields := []string{
		p.setText(p.seconds, 0, 59, "*"), p.setText(p.minutes, 0, 59, "*"), p.setText(uint64(p.hours), 0, 23, "*"),
		domText, p.setText(uint64(p.months), 1, 12, "*"), dowText,
	}
	if p.years != nil {
		fields = append(fields, p.yearText())
	}
	if !quartz && p.seconds == 1 && p.years == nil {
		fields = fields[1:]
	}
	if quartz {
		return strings.ToUpper(strings.Join(fields, " "))
	}
	return strings.Join(fields, " ")
}

// before writes "-n" for n days before the last, "" for the last.
func before(n int) string {
	if n == 0 {
		return ""
	}
	return "-" + strconv.Itoa(n)
}

func eachBit(set uint32, yield func(n int)) {
	for n := nextBit(uint64(set), 0); n < 32; n = nextBit(uint64(set), n+1) {
		yield(n)
	}
}
