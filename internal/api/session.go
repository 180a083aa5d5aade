package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/service"
)

// sessionCookie is the cookie that carries a session's token.
const sessionCookie = "jobcenter_session"

// User is a person who may sign in.
type User struct {
	ID        string    `json:"id"`
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Role      string    `json:"role" enum:"viewer,operator,admin"`
	CreatedAt time.Time `json:"created_at"`
}

// Client is what a sign-in needs to know of the request it came by.
type Client struct {
	address string
	secure  bool
	session string
}

// Resolve reads the request.
func (c *Client) Resolve(ctx huma.Context) []error {
	r, _ := humago.Unwrap(ctx)
	c.address = clientAddress(r)
	// A client that lies in the header spoils its own cookie only.
	c.secure = r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
	c.session = sessionToken(r)
	return nil
}

type userBody struct {
	User User `json:"user"`
}

type userOutput struct {
	Body userBody
}

type signedInOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      userBody
}

type setupState struct {
	Body struct {
		Needed bool `json:"needed" doc:"Whether there is no user yet."`
	}
}

type setupInput struct {
	Client
	Body struct {
		Token    string `json:"token" maxLength:"200" doc:"From the set-up link that the server printed."`
		Email    string `json:"email" maxLength:"254"`
		Password string `json:"password" doc:"8 to 256 characters."`
		Name     string `json:"name,omitempty"`
	}
}

type signInInput struct {
	Client
	Body struct {
		Email    string `json:"email" maxLength:"254"`
		Password string `json:"password" maxLength:"1024"`
	}
}

type signOutInput struct {
	Client
}

type signedOutOutput struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
}

func (s *server) sessionRoutes() {
	register(s, service.Public, route{
		method: http.MethodGet, path: "/setup", id: "get-setup", group: "Session",
		summary: "Whether the first user has to be set up",
	}, s.getSetup)
	register(s, service.Public, route{
		method: http.MethodPost, path: "/setup", id: "set-up", group: "Session", status: http.StatusCreated,
		summary:     "Set up the first user",
		description: "Takes the token of the link that the server prints when it starts without a user. The user is an admin and is signed in.",
	}, s.setUp)
	register(s, service.Public, route{
		method: http.MethodPost, path: "/session", id: "sign-in", group: "Session",
		summary:     "Sign in",
		description: "Answers with a cookie. Programs use an API token instead.",
	}, s.signIn)
	register(s, service.OwnSession, route{
		method: http.MethodGet, path: "/session", id: "get-session", group: "Session",
		summary:     "Who is signed in",
		description: "For an API token, the user has the token's name and role, and an empty id and email.",
	}, s.getSession)
	register(s, service.Public, route{
		method: http.MethodDelete, path: "/session", id: "sign-out", group: "Session", status: http.StatusNoContent,
		summary: "Sign out",
	}, s.signOut)
}

func (s *server) getSetup(ctx context.Context, _ *struct{}) (*setupState, error) {
	var out setupState
	var err error
	out.Body.Needed, err = s.accounts.NeedsSetup(ctx)
	return &out, err
}

func (s *server) setUp(ctx context.Context, in *setupInput) (*signedInOutput, error) {
	user, err := s.accounts.Setup(ctx, in.Body.Token,
		account.NewUser{Email: in.Body.Email, Password: in.Body.Password, Name: in.Body.Name}, in.address)
	if err != nil {
		return nil, err
	}
	return s.startSession(ctx, in.Client, user)
}

func (s *server) signIn(ctx context.Context, in *signInInput) (*signedInOutput, error) {
	user, err := s.accounts.SignIn(ctx, in.Body.Email, in.Body.Password, in.address)
	if err != nil {
		return nil, err
	}
	return s.startSession(ctx, in.Client, user)
}

func (s *server) startSession(ctx context.Context, c Client, user account.User) (*signedInOutput, error) {
	token, until, err := s.accounts.StartSession(ctx, c.session, user)
	if err != nil {
		return nil, err
	}
	return &signedInOutput{SetCookie: c.cookie(token, until), Body: userBody{userOf(user)}}, nil
}

func (s *server) getSession(ctx context.Context, _ *struct{}) (*userOutput, error) {
	actor := actorOf(ctx)
	if actor.User == nil {
		return &userOutput{userBody{User{Name: actor.Name, Role: string(actor.Role)}}}, nil
	}
	return &userOutput{userBody{userOf(*actor.User)}}, nil
}

func (s *server) signOut(ctx context.Context, in *signOutInput) (*signedOutOutput, error) {
	if err := s.accounts.EndSession(ctx, in.session); err != nil {
		return nil, err
	}
	return &signedOutOutput{SetCookie: in.cookie("", time.Unix(1, 0))}, nil
}

// cookie makes the session cookie; scripts cannot read it, and other sites
// cannot have it sent with a write.
func (c *Client) cookie(token string, until time.Time) http.Cookie {
	return http.Cookie{ //nolint:gosec // G124: Secure follows the connection: without TLS it would not be sent back
		Name: sessionCookie, Value: token, Path: "/", Expires: until,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.secure,
	}
}

func sessionToken(r *http.Request) string {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// clientAddress is whom failed sign-ins are counted against. One IPv6 client
// has a whole /64 to choose from.
func clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if network, err := addr.Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}

func actorOf(ctx context.Context) service.Actor {
	actor, _ := ctx.Value(actorKey{}).(service.Actor)
	return actor
}

func userOf(u account.User) User {
	return User{ID: u.ID, Email: u.Email, Name: u.Name, Role: string(u.Role), CreatedAt: u.CreatedAt}
}
