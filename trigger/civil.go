package trigger

import "math/bits"

// Wall-clock time is counted in seconds since 1970-01-01 00:00:00 on the clock
// of a zone, as if the zone had no offset changes; days likewise. Both may be
// negative. The calendar is the Gregorian one in all years.

const (
	secondsPerDay = 24 * 60 * 60
	minYear       = 1970 // of the plans by fields, as in APScheduler
	maxYear       = 9999
)

// splitWall gives the day and the second of that day.
func splitWall(wall int64) (day int64, second int) {
	day = wall / secondsPerDay
	second = int(wall - day*secondsPerDay)
	if second < 0 {
		second += secondsPerDay
		day--
	}
	return day, second
}

// dayNumber counts the days from 1970-01-01 to a date of year 1 or later. The
// year is taken to begin in March, so that the leap day is its last.
func dayNumber(year, month, day int) int64 {
	y := int64(year)
	m := int64(month) - 3
	if m < 0 {
		m += 12
		y--
	}
	return 365*y + y/4 - y/100 + y/400 + (153*m+2)/5 + int64(day) - 1 - 719468
}

// civilDate is the inverse of dayNumber, for days from 0001-01-01 on.
func civilDate(number int64) (year, month, day int) {
	n := uint64(number + 719468)
	century := (4*n + 3) / 146097
	n -= 146097 * century / 4 // day of the century
	y := (4*n + 3) / 1461
	n -= 1461 * y / 4 // day of the year that begins in March
	m := (5*n + 2) / 153
	day = int(n-(153*m+2)/5) + 1
	year, month = int(100*century+y), int(m)+3
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}

func daysInMonth(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month>>3)&1
}

// weekday is 0 for Sunday. The day is not before Sunday, 1969-12-28.
func weekday(day int64) int { return int((day + 4) % 7) }

// isoWeek gives the ISO 8601 week, 1 to 53, of a day.
func isoWeek(day int64) int {
	thursday := day - int64((weekday(day)+6)%7) + 3 // it decides the week's year
	year, _, _ := civilDate(thursday)
	return int(thursday-dayNumber(year, 1, 1))/7 + 1
}

// nextBit gives the lowest bit of set that is n or higher, or 64 or more.
func nextBit(set uint64, n int) int {
	return bits.TrailingZeros64(set &^ (1<<uint(n) - 1))
}
