package api

import "reflect"

// The kinds of trigger, for the document only; package trigger reads them.
type (
	// CronTrigger fires at the times that all its fields allow.
	CronTrigger struct {
		Type      string `json:"type" enum:"cron"`
		Year      string `json:"year,omitempty" example:"2026-2030"`
		Month     string `json:"month,omitempty" doc:"1 to 12, or jan to dec." example:"6-8,11-12"`
		Day       string `json:"day,omitempty" doc:"1 to 31, last, or such as 3rd fri or last sun." example:"3rd fri"`
		Week      string `json:"week,omitempty" doc:"The ISO week, 1 to 53."`
		DayOfWeek string `json:"day_of_week,omitempty" doc:"0 to 6 where 0 is Monday, or mon to sun." example:"mon-fri"`
		Hour      string `json:"hour,omitempty" example:"9-17"`
		Minute    string `json:"minute,omitempty" example:"*/5"`
		Second    string `json:"second,omitempty" example:"0"`
		Clocks
		Bounds
		Modifiers
	}
	// CrontabTrigger is a line of a crontab.
	CrontabTrigger struct {
		Type       string `json:"type" enum:"crontab"`
		Expression string `json:"expression" doc:"5 fields, 6 with leading seconds, or 7 with the year last as well; @daily and the like, @every with a duration, or @reboot. H and ~ stand for values that the job's id chooses." example:"*/5 9-17 * * mon-fri"`
		Extensions bool   `json:"extensions,omitempty" doc:"Whether L, W, # and ? are taken as well."`
		Clocks
		Bounds
		Modifiers
	}
	// QuartzTrigger is a cron expression of the Quartz scheduler.
	QuartzTrigger struct {
		Type       string `json:"type" enum:"quartz"`
		Expression string `json:"expression" doc:"6 fields with seconds first, or 7 with the year last; 1 is Sunday." example:"0 0 12 L * ?"`
		Clocks
		Bounds
		Modifiers
	}
	// IntervalTrigger fires every so often, counted from start_date. Left
	// out, that is one interval after the job was added.
	IntervalTrigger struct {
		Type    string  `json:"type" enum:"interval"`
		Weeks   float64 `json:"weeks,omitempty"`
		Days    float64 `json:"days,omitempty"`
		Hours   float64 `json:"hours,omitempty"`
		Minutes float64 `json:"minutes,omitempty"`
		Seconds float64 `json:"seconds,omitempty"`
		Bounds
		Modifiers
	}
	// CalendarIntervalTrigger fires every so many days of the calendar, counted
	// from the day of start_date. Left out, that is the day on which the job was added.
	CalendarIntervalTrigger struct {
		Type         string `json:"type" enum:"calendar_interval"`
		Years        int64  `json:"years,omitempty"`
		Months       int64  `json:"months,omitempty"`
		Weeks        int64  `json:"weeks,omitempty"`
		Days         int64  `json:"days,omitempty"`
		Hour         int64  `json:"hour,omitempty" minimum:"0" maximum:"23" doc:"The time of day. Hour, minute and second left out: that of start_date."`
		Minute       int64  `json:"minute,omitempty" minimum:"0" maximum:"59"`
		Second       int64  `json:"second,omitempty" minimum:"0" maximum:"59"`
		OnShortMonth string `json:"on_short_month,omitempty" enum:"skip,last" doc:"What becomes of a month that does not have the day: passed over, or its last day. Left out: skip."`
		Clocks
		Bounds
		Modifiers
	}
	// DailyTimeIntervalTrigger fires every so often between two times of day.
	DailyTimeIntervalTrigger struct {
		Type       string   `json:"type" enum:"daily_time_interval"`
		Every      int64    `json:"every" minimum:"1"`
		Unit       string   `json:"unit" enum:"second,minute,hour"`
		From       string   `json:"from,omitempty" doc:"The first time of day. Left out: 00:00:00." example:"09:00:00"`
		To         string   `json:"to,omitempty" doc:"The last time of day; before from: of the next day. Left out: 23:59:59." example:"17:00:00"`
		DaysOfWeek []string `json:"days_of_week,omitempty" nullable:"false" doc:"mon to sun, of the day of from. Left out: every day."`
		Clocks
		Bounds
		Modifiers
	}
	// DateTrigger fires once.
	DateTrigger struct {
		Type     string `json:"type" enum:"date"`
		RunDate  string `json:"run_date" doc:"RFC 3339, or without an offset the wall time in timezone." example:"2026-11-06T16:30:05"`
		Timezone string `json:"timezone,omitempty" doc:"An IANA name. Left out: the server's default." example:"Asia/Shanghai"`
		Modifiers
	}
	// DatesTrigger fires once at each of a list of instants.
	DatesTrigger struct {
		Type     string   `json:"type" enum:"dates"`
		RunDates []string `json:"run_dates" nullable:"false" minItems:"1" maxItems:"10000" doc:"As run_date of date."`
		Bounds
		Modifiers
	}
	// RRuleTrigger fires by an iCalendar recurrence rule (RFC 5545), counted
	// from start_date.
	RRuleTrigger struct {
		Type      string `json:"type" enum:"rrule"`
		Rule      string `json:"rule" example:"FREQ=MONTHLY;BYDAY=-1FR"`
		StartDate string `json:"start_date"`
		EndDate   string `json:"end_date,omitempty"`
		Timezone  string `json:"timezone,omitempty" doc:"An IANA name. Left out: the server's default." example:"Asia/Shanghai"`
		Clocks
		Modifiers
	}
	// AndTrigger fires when all its parts fire at the same instant.
	AndTrigger struct {
		Type     string    `json:"type" enum:"and"`
		Triggers []Trigger `json:"triggers" nullable:"false" minItems:"1" maxItems:"64"`
		Bounds
		Modifiers
	}
	// OrTrigger fires when any of its parts fires.
	OrTrigger struct {
		Type     string    `json:"type" enum:"or"`
		Triggers []Trigger `json:"triggers" nullable:"false" minItems:"1" maxItems:"64"`
		Bounds
		Modifiers
	}
	// Bounds are what all but a date have.
	Bounds struct {
		StartDate string `json:"start_date,omitempty" doc:"No fire time before it. RFC 3339, or without an offset the wall time in timezone."`
		EndDate   string `json:"end_date,omitempty" doc:"No fire time after it. RFC 3339, or without an offset the wall time in timezone."`
		Timezone  string `json:"timezone,omitempty" doc:"An IANA name. Left out: the server's default." example:"Asia/Shanghai"`
	}
	// Clocks are what the kinds have that go by the wall clock.
	Clocks struct {
		OnGap  string `json:"on_gap,omitempty" enum:"after,skip" doc:"What becomes of a time that the clocks jump over. Left out: a fixed time fires after the gap, and one of every so often does not."`
		OnFold string `json:"on_fold,omitempty" enum:"first,second,both" doc:"What becomes of a time that the clocks show twice. Left out: a fixed time fires the first time, and one of every so often both times."`
	}
	// Modifiers change the fire times of any kind.
	Modifiers struct {
		Calendar map[string]any `json:"calendar,omitempty" doc:"Which days and times are open, and what becomes of fires on others."`
		Limit    int64          `json:"limit,omitempty" minimum:"1" doc:"How many fire times there are at most, counted from start_date."`
		Jitter   string         `json:"jitter,omitempty" doc:"Delays each fire by up to that long, differently for each job." example:"30s"`
	}
)

// triggerForm is the form of a kind of trigger.
type triggerForm struct {
	kind string
	form reflect.Type
}

func triggerForms() []triggerForm {
	return []triggerForm{
		{"cron", reflect.TypeFor[CronTrigger]()},
		{"crontab", reflect.TypeFor[CrontabTrigger]()},
		{"quartz", reflect.TypeFor[QuartzTrigger]()},
		{"interval", reflect.TypeFor[IntervalTrigger]()},
		{"calendar_interval", reflect.TypeFor[CalendarIntervalTrigger]()},
		{"daily_time_interval", reflect.TypeFor[DailyTimeIntervalTrigger]()},
		{"date", reflect.TypeFor[DateTrigger]()},
		{"dates", reflect.TypeFor[DatesTrigger]()},
		{"rrule", reflect.TypeFor[RRuleTrigger]()},
		{"and", reflect.TypeFor[AndTrigger]()},
		{"or", reflect.TypeFor[OrTrigger]()},
	}
}
