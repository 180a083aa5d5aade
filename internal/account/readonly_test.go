package account

import "testing"

// Who is known stays known when nothing can be written any more.
func TestReadingGoesOnWithoutWrites(t *testing.T) {
	t.Parallel()
	a := open(t)
	ada := addAda(t, a)
	session, _, err := a.StartSession(t.Context(), "", ada)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := a.AddToken(t.Context(), "ci", Viewer)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"UPDATE account_session SET used_at = used_at - 3600000000",
		"CREATE TRIGGER no_token BEFORE UPDATE ON account_token BEGIN SELECT RAISE(ABORT, 'disk full'); END",
		"CREATE TRIGGER no_session BEFORE UPDATE ON account_session BEGIN SELECT RAISE(ABORT, 'disk full'); END",
	} {
		if _, err := a.db.Write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if user, err := a.SessionUser(t.Context(), session); err != nil || user != ada {
		t.Errorf("session: %+v, %v", user, err)
	}
	if token, err := a.Token(t.Context(), secret); err != nil || token.Name != "ci" {
		t.Errorf("token: %+v, %v", token, err)
	}
}
