package sqlstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/huandu/go-sqlbuilder"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/sqlkit"
)

// cursor says where a page ended. It names the list, so that it is of no use
// in another one.
type cursor struct {
	List   string `json:"l"`
	Part   int    `json:"p,omitempty"`
	Text   string `json:"t,omitempty"` // the last row's key, if it is a text,
	Number *int64 `json:"n,omitempty"` // or else a number
	ID     string `json:"i,omitempty"`
	Seq    int64  `json:"s,omitempty"`
}

func (c cursor) encode() string {
	data, _ := json.Marshal(c) // texts and numbers cannot fail
	return base64.RawURLEncoding.EncodeToString(data)
}

func decodeCursor(text, list string) (cursor, error) {
	if text == "" {
		return cursor{}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, jobcenter.ErrBadCursor
	}
	var c cursor
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if decoder.Decode(&c) != nil || c.List != list || c.Part < 0 || c.encode() != text {
		return cursor{}, jobcenter.ErrBadCursor
	}
	return c, nil
}

// set notes the last row of a list of jobs.
func (c *cursor) set(part int, key any, id string) {
	c.Part, c.Text, c.Number, c.ID = part, "", nil, id
	switch key := key.(type) {
	case int64:
		c.Number = &key
	case string:
		c.Text = key
	case []byte:
		c.Text = string(key)
	}
}

// where keeps the jobs that come after the cursor in a list that is ordered by
// the columns, the last of which is the id.
func (c cursor) where(sb *sqlbuilder.SelectBuilder, dialect sqlkit.Dialect, desc bool, columns ...string) {
	if len(columns) == 1 {
		sb.Where(columns[0] + sign(desc) + sb.Var(c.ID))
		return
	}
	var key any = c.Text
	if c.Number != nil {
		key = *c.Number
	}
	sb.Where(beyond(sb, dialect, desc, columns[0], key, columns[1], c.ID))
}

func sign(desc bool) string {
	if desc {
		return " < "
	}
	return " > "
}

// beyond is the condition that two columns come after two values.
func beyond(sb *sqlbuilder.SelectBuilder, dialect sqlkit.Dialect, desc bool, first string, a any, second string, b any) string {
	if dialect != sqlkit.MySQL {
		return "(" + first + ", " + second + ")" + sign(desc) + "(" + sb.Var(a) + ", " + sb.Var(b) + ")"
	}
	// MySQL looks into an index for each column apart only.
	return first + strings.TrimRight(sign(desc), " ") + "= " + sb.Var(a) +
		" AND (" + first + sign(desc) + sb.Var(a) + " OR " + second + sign(desc) + sb.Var(b) + ")"
}
