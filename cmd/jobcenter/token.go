package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jobcenter-go/jobcenter/internal/account"
)

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make an API token and print it. It cannot be shown again."`
}

type tokenCreateCmd struct {
	storage
	Name string `required:"" help:"What the token is for; unique."`
	Role string `required:"" help:"What it may do: viewer (read), operator (also run, stop, pause), admin (everything)."`
}

// Run makes a token and prints it alone on its line. It works beside a
// running server.
func (c *tokenCreateCmd) Run(ctx context.Context, io stdio) (err error) {
	role, err := account.ParseRole(c.Role)
	if err != nil {
		return err
	}
	if c.Database == "" {
		if err := c.makeData(); err != nil {
			return err
		}
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	accounts, err := account.New(ctx, db)
	if err != nil {
		return err
	}
	token, err := accounts.AddToken(ctx, c.Name, role)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.out, token)
	return err
}
