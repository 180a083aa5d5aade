package sqlstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/jobcenter-go/jobcenter"
)

// Durations are nanoseconds here.

// limitJSON is what the column limits holds.
type limitJSON struct {
	jobcenter.Limit
	Per time.Duration `json:"per,omitempty"`
}

// rulesJSON is what the column rules holds.
type rulesJSON struct {
	CatchUp          catchUpJSON `json:"catch_up,omitzero"`
	Retry            *retryJSON  `json:"retry,omitempty"`
	RequestsRecovery bool        `json:"requests_recovery,omitempty"`
}

type catchUpJSON struct {
	jobcenter.CatchUp
	MaxAge time.Duration `json:"max_age,omitempty"`
	Pace   time.Duration `json:"pace,omitempty"`
}

type retryJSON struct {
	jobcenter.Retry
	Delay    time.Duration `json:"delay,omitempty"`
	MaxDelay time.Duration `json:"max_delay,omitempty"`
}

// writeRules writes the rules of a job that have no columns of their own; an
// empty text is none.
func writeRules(job *jobcenter.Job) (limits, rules string, err error) {
	if job.Limit != (jobcenter.Limit{}) {
		text, err := json.Marshal(limitJSON{job.Limit, job.Limit.Per})
		if err != nil {
			return "", "", fmt.Errorf("limit: %w", err)
		}
		limits = string(text)
	}
	form := rulesJSON{
		CatchUp:          catchUpJSON{job.CatchUp, job.CatchUp.MaxAge, job.CatchUp.Pace},
		RequestsRecovery: job.RequestsRecovery,
	}
	if !reflect.ValueOf(job.Retry).IsZero() {
		form.Retry = &retryJSON{job.Retry, job.Retry.Delay, job.Retry.MaxDelay}
	}
	if form != (rulesJSON{}) {
		text, err := json.Marshal(form)
		if err != nil {
			return "", "", fmt.Errorf("rules: %w", err)
		}
		rules = string(text)
	}
	return limits, rules, nil
}

// readRules is the other way.
func readRules(job *jobcenter.Job, limits, rules string) error {
	if limits != "" {
		var form limitJSON
		if err := unmarshalStrict(limits, &form); err != nil {
			return fmt.Errorf("limit: %w", err)
		}
		job.Limit = form.Limit
		job.Limit.Per = form.Per
	}
	if rules == "" {
		return nil
	}
	var form rulesJSON
	if err := unmarshalStrict(rules, &form); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	job.CatchUp = form.CatchUp.CatchUp
	job.CatchUp.MaxAge, job.CatchUp.Pace = form.CatchUp.MaxAge, form.CatchUp.Pace
	job.RequestsRecovery = form.RequestsRecovery
	if form.Retry != nil {
		job.Retry = form.Retry.Retry
		job.Retry.Delay, job.Retry.MaxDelay = form.Retry.Delay, form.Retry.MaxDelay
	}
	return nil
}

// unmarshalStrict refuses what a newer program may have meant.
func unmarshalStrict(text string, into any) error {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
