package trigger

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Text writes a trigger as one line, for people to type and for files: its
// kind, then what its JSON form holds as key=value, as in
//
//	crontab "*/5 9-17 * * mon-fri" timezone=Asia/Shanghai
//	cron day="3rd fri" hour=9 timezone=UTC jitter=30s
//	interval minutes=2 timezone=UTC start_date=2026-01-01T00:00:00Z
//	date 2026-11-06T16:30:05+08:00 timezone=Asia/Shanghai
//	or (crontab "0 9 * * *" timezone=UTC) (interval hours=7 timezone=UTC) timezone=UTC
//
// [ParseText] of it gives an equal trigger. Errors: those of [Marshal].
func Text(t Trigger) (string, error) {
	data, err := Marshal(t)
	if err != nil {
		return "", err
	}
	return textOf(data)
}

func textOf(data []byte) (string, error) {
	var o object
	if err := o.read(data); err != nil {
		return "", err
	}
	kind := o.text("type")
	var b strings.Builder
	b.WriteString(kind)
	if main := mainKey(kind); main != "" {
		b.WriteByte(' ')
		b.WriteString(bare(o.raw(main)))
	}
	for _, part := range o.list("triggers") {
		text, err := textOf(part)
		if err != nil {
			return "", err
		}
		b.WriteString(" (" + text + ")")
	}
	for _, m := range o.members {
		if m.key != "type" && m.key != "triggers" && m.key != mainKey(kind) {
			b.WriteString(" " + m.key + "=" + bare(m.value))
		}
	}
	return b.String(), nil
}

// mainKey is the key whose value stands in the text without its name.
func mainKey(kind string) string {
	switch kind {
	case "crontab", "quartz":
		return "expression"
	case "rrule":
		return "rule"
	case "date":
		return "run_date"
	}
	return ""
}

// bare writes a JSON value, without quotes where they are not needed.
func bare(value []byte) string {
	if s, ok := unquote(value); ok && isBare(s) {
		return s
	}
	return string(value)
}

// isBare tells whether a text can stand without quotes.
func isBare(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`"'()[]{}=\`, s[i]) >= 0 {
			return false
		}
	}
	return s != "" && s != "true" && s != "false"
}

// ParseText reads the form that [Text] writes, and besides a bare crontab
// expression, such as "*/5 * * * *" or "@daily". Keys may be left out as in
// [Parse]; zone is the time zone of a trigger that names none, UTC if it is
// nil. Errors: an [*Error].
func ParseText(text string, zone *time.Location) (Trigger, error) {
	text = strings.TrimSpace(text)
	p := textParser{rest: text}
	if kind := p.word(); !slices.Contains(strings.Split(kinds, ", "), kind) {
		return NewCrontab(text, Options{Zone: zone})
	}
	p.rest = text
	data := p.trigger(1)
	if p.err == nil && p.rest != "" {
		p.fail(p.rest, "is not expected here")
	}
	if p.err != nil {
		return nil, p.err
	}
	return Parse(data, zone)
}

// textParser makes the JSON form of a text. The first error stays.
type textParser struct {
	rest string
	err  *Error
}

func (p *textParser) fail(given, problem string) {
	if p.err == nil {
		p.err = &Error{Given: given, Problem: problem}
	}
}

func (p *textParser) skipSpace() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

// trigger reads a kind and all that belongs to it, up to a closing bracket or
// the end.
func (p *textParser) trigger(level int) []byte {
	if level > maxDepth {
		p.fail("", "triggers are combined too deep, allowed are 8 levels")
		return nil
	}
	p.skipSpace()
	kind := p.word()
	data := append([]byte(`{"type":`), quoteJSON(kind)...)
	var parts []byte
	for first := true; p.err == nil; first = false {
		p.skipSpace()
		if p.rest == "" || p.rest[0] == ')' {
			break
		}
		if p.rest[0] == '(' {
			p.rest = p.rest[1:]
			part := p.trigger(level + 1)
			if !strings.HasPrefix(p.rest, ")") {
				p.fail(p.rest, "is not expected here, a ) is missing")
				break
			}
			p.rest = p.rest[1:]
			if parts != nil {
				parts = append(parts, ',')
			}
			parts = append(parts, part...)
			continue
		}
		key := p.key()
		if key == "" {
			if key = mainKey(kind); key == "" || !first {
				p.fail(p.rest, "is not expected here, allowed is key=value")
				break
			}
		}
		data = append(append(data, ','), quoteJSON(key)...)
		data = append(append(data, ':'), p.value(key == mainKey(kind))...)
	}
	if parts != nil {
		data = append(data, `,"triggers":[`...)
		data = append(append(data, parts...), ']')
	}
	return append(data, '}')
}

// word takes the letters up to the next space, bracket or equals sign.
func (p *textParser) word() string {
	n := strings.IndexAny(p.rest, " \t\r\n()=\"")
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

// key takes "key=", or nothing. Keys are lower case, which tells them from the
// parts of an RRULE.
func (p *textParser) key() string {
	n := strings.IndexFunc(p.rest, func(r rune) bool { return (r < 'a' || r > 'z') && r != '_' })
	if n <= 0 || p.rest[n] != '=' {
		return ""
	}
	key := p.rest[:n]
	p.rest = p.rest[n+1:]
	return key
}

// value takes a value and gives it as JSON: what stands in quotes or brackets
// is JSON already; of the rest, numbers and truth values stay what they are,
// unless it is to be text.
func (p *textParser) value(text bool) []byte {
	if p.rest != "" && strings.IndexByte(`"[{`, p.rest[0]) >= 0 {
		value, rest := cutValue([]byte(p.rest))
		if !json.Valid(value) {
			p.fail(string(value), "is not complete")
			return nil
		}
		p.rest = string(rest)
		return value
	}
	n := strings.IndexAny(p.rest, " \t\r\n()")
	if n < 0 {
		n = len(p.rest)
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	if _, err := strconv.ParseFloat(word, 64); !text && (word == "true" || word == "false" || err == nil && json.Valid([]byte(word))) {
		return []byte(word)
	}
	if word == "" {
		p.fail("", "a value is missing")
	}
	return quoteJSON(word)
}

func quoteJSON(s string) []byte {
	data, _ := json.Marshal(s) // of text, there is no error
	return data
}
