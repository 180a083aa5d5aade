package redisstore

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed lua/*.lua
var files embed.FS

// scripts are what the store has Redis run. Each file in lua/ says what it does.
type scripts struct {
	open, add, see, update, remove, next, due, claim, queue, take, record, stop, held, count *redis.Script
	output, orphans, fetch, last, jobs, runs                                                 *redis.Script
}

func newScripts() scripts {
	source := func(name string) string {
		text, err := files.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // it is part of the program
		}
		return string(text)
	}
	common := source("common")
	script := func(name string) *redis.Script { return redis.NewScript(common + source(name)) }
	return scripts{
		open: script("open"), add: script("add"), see: script("see"), update: script("update"), remove: script("remove"),
		next: script("next"), due: script("due"), claim: script("claim"), queue: script("queue"), take: script("take"),
		record: script("record"), stop: script("stop"), held: script("held"), count: script("count"), output: script("output"),
		orphans: script("orphans"), fetch: script("fetch"), last: script("last"), jobs: script("jobs"), runs: script("runs"),
	}
}

// arguments are what a script reads with arg and its like.
type arguments []any

func (a *arguments) add(values ...any) { *a = append(*a, values...) }

// list adds texts as one value: an array of strings in MessagePack, which
// scripts can read.
func (a *arguments) list(texts []string) {
	size := 5
	for _, text := range texts {
		size += 5 + len(text)
	}
	packed := make([]byte, 0, size)
	packed = binary.BigEndian.AppendUint32(append(packed, 0xdd), uint32(len(texts)))
	for _, text := range texts {
		packed = binary.BigEndian.AppendUint32(append(packed, 0xdb), uint32(len(text)))
		packed = append(packed, text...)
	}
	a.add(packed)
}

// newCall begins the arguments of a script that must do its work once: with a
// token of the call, and for how many milliseconds what it returned is kept for
// a further try.
func (s *Store) newCall(args ...any) arguments {
	return append(arguments{rand.Text(), (s.timeout + time.Minute).Milliseconds()}, args...)
}

// read runs a script. It ends when ctx does.
func (s *Store) read(ctx context.Context, script *redis.Script, args arguments) (reply any, err error) {
	err = s.do(ctx, func(ctx context.Context) error {
		reply, err = s.run(ctx, script, args)
		return err
	})
	return reply, err
}

func (s *Store) run(ctx context.Context, script *redis.Script, args arguments) (any, error) {
	reply, err := script.Run(ctx, s.client, []string{s.prefix}, args...).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil //nolint:nilnil // nothing is an answer
	}
	return reply, err
}

// write runs a script that changes something. Once it is on its way, the end
// of ctx no longer holds it up: whoever gets an error shall find nothing
// changed. For the same reason it is tried for as long as it may take, until
// there is an answer: a server that is killed may have carried it out, and
// knows so when it is back.
func (s *Store) write(ctx context.Context, script *redis.Script, args arguments) (reply any, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = s.do(context.WithoutCancel(ctx), func(ctx context.Context) error {
		for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
			reply, err = s.run(ctx, script, args)
			var answer redis.Error
			if err == nil || errors.As(err, &answer) && !redis.IsLoadingError(err) {
				return err
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(pause):
			}
		}
	})
	return reply, err
}

// do makes calls to the server within the time for them.
func (s *Store) do(ctx context.Context, call func(ctx context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := call(bounded)
	if err == nil {
		return nil
	}
	// The connection may notice the deadline before the context does.
	deadline, ok := ctx.Deadline()
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	case ok && !time.Now().Before(deadline):
		return fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
	case bounded.Err() != nil:
		return fmt.Errorf("no answer within %s: %w", s.timeout, err)
	}
	return err
}

// What a reply is made of: lists, texts and whole numbers. Something else is
// taken for nothing.

func list(reply any) []any {
	items, _ := reply.([]any)
	return items
}

func text(reply any) string {
	switch value := reply.(type) {
	case string:
		return value
	case int64:
		return strconv.FormatInt(value, 10)
	}
	return ""
}

func number(reply any) int {
	value, _ := reply.(int64)
	return int(value)
}

// item returns one of a list, nil if it is too short.
func item(items []any, i int) any {
	if i >= len(items) {
		return nil
	}
	return items[i]
}
