package api

import (
	"errors"
	"mime"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/jobcenter-go/jobcenter"
	"github.com/jobcenter-go/jobcenter/internal/account"
	"github.com/jobcenter-go/jobcenter/internal/service"
)

// answerTime is how long a client may take to receive an ordinary answer;
// streams and downloads renew it with each piece.
const answerTime = time.Minute

// contentPolicy lets the console load its own files and nothing else. Inline
// scripts are out; inline styles are in, because Ant Design sets styles from
// scripts.
const contentPolicy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; " +
	"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// safeHeaders sets the headers that every answer carries.
func safeHeaders(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTime)) // not every writer has one
		next.ServeHTTP(w, r)
	})
}

// guard keeps out what must not reach a handler of the API: writes from
// other sites on behalf of a signed-in browser, bodies that are not JSON or
// too long.
func (s *server) guard(next http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		if _, token := bearer(r); !token {
			// A bearer token is not sent by browsers of their own accord, and
			// with it the cookie is not looked at.
			if err := origin.Check(r); err != nil {
				writeProblem(w, newProblem(http.StatusForbidden, codeCrossOrigin, "the request comes from another site"))
				return
			}
		}
		if r.ContentLength > maxBody {
			w.Header().Set("Connection", "close")
			writeProblem(w, newProblem(http.StatusRequestEntityTooLarge, codeBodyTooLarge, "the body has more than 1 MiB"))
			return
		}
		if isWrite(r) && !acceptable(r) {
			writeProblem(w, newProblem(http.StatusUnsupportedMediaType, codeUnsupportedMedia,
				"the body must be JSON, with the header Content-Type: application/json"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// acceptable reports whether a write has a body of JSON or none at all.
func acceptable(r *http.Request) bool {
	header := r.Header.Get("Content-Type")
	if header == "" {
		return r.ContentLength == 0
	}
	kind, _, err := mime.ParseMediaType(header)
	return err == nil && (kind == "application/json" || r.Method == http.MethodPatch && kind == "application/merge-patch+json")
}

type actorKey struct{}

// authorize finds out who asks and refuses what that actor may not do, before
// anything of the request is read. The service checks again what it does.
func (s *server) authorize(ctx huma.Context, next func(huma.Context)) {
	op, _ := ctx.Operation().Metadata[operationKey].(service.Operation)
	var actor service.Actor
	err := error(nil)
	if op != service.Public {
		actor, err = s.actor(ctx)
		if err == nil {
			err = service.Allow(actor, op)
		}
	}
	if err != nil {
		p := problem(ctx.Context(), s.log, err)
		if p.Status == http.StatusUnauthorized {
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="JobCenter"`)
		}
		_, w := humago.Unwrap(ctx)
		writeProblem(w, p)
		return
	}
	next(huma.WithValue(ctx, actorKey{}, actor))
}

// actor returns who sent a request: the holder of its token, or else the
// user of its session, or nobody.
func (s *server) actor(ctx huma.Context) (service.Actor, error) {
	r, _ := humago.Unwrap(ctx)
	if secret, given := bearer(r); given {
		token, err := s.accounts.Token(r.Context(), secret)
		if errors.Is(err, account.ErrUnknownToken) {
			return service.Actor{}, nil
		}
		if err != nil {
			return service.Actor{}, err
		}
		return service.Actor{Name: "token:" + token.Name, Role: token.Role, Origin: jobcenter.OriginAPI}, nil
	}
	user, err := s.accounts.SessionUser(r.Context(), sessionToken(r))
	if errors.Is(err, account.ErrNotFound) {
		return service.Actor{}, nil
	}
	if err != nil {
		return service.Actor{}, err
	}
	return service.Actor{Name: user.Email, Role: user.Role, Origin: jobcenter.OriginManual, User: &user}, nil
}
