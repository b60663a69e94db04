package main_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/example/internal/servers"
	"github.com/jackc/pgx/v5"
)

// TestAccountsOfTheDocumentation runs the statements of docs/levels.md on a table whose
// addresses are unique. No agent gets a 500 because of an address.
func TestAccountsOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/levels.md")
	if err != nil {
		t.Fatal(err)
	}
	statements := regexp.MustCompile("return row\\(ctx, `([^`]+)`").FindAllStringSubmatch(string(page), -1)
	if len(statements) != 3 {
		t.Fatalf("got %d statements in docs/levels.md, want those of Login, SubOfEmail and Create", len(statements))
	}
	postgres := servers.StartPostgres(t)
	db, err := postgres.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	if _, err := db.Exec(t.Context(), `CREATE TABLE accounts (id text PRIMARY KEY DEFAULT gen_random_uuid(), sub text UNIQUE, email text UNIQUE);
		INSERT INTO accounts (email) VALUES ('former@example.gouv.fr')`); err != nil {
		t.Fatal(err)
	}
	row := func(ctx context.Context, query string, args ...any) (value string, err error) {
		err = db.QueryRow(ctx, query, args...).Scan(&value)
		if errors.Is(err, pgx.ErrNoRows) {
			return "", nil
		}
		return value, err
	}
	// Login gets as many arguments as its statement has.
	byAgent := func(statement string) func(context.Context, agentconnect.Agent) (string, error) {
		return func(ctx context.Context, a agentconnect.Agent) (string, error) {
			args := []any{a.Sub, a.Email}
			if !regexp.MustCompile(`\$2`).MatchString(statement) {
				args = args[:1]
			}
			return row(ctx, statement, args...)
		}
	}
	hook := agentconnect.Accounts{
		Login: byAgent(statements[0][1]),
		SubOfEmail: func(ctx context.Context, email string) (string, error) {
			return row(ctx, statements[1][1], email)
		},
		Create: byAgent(statements[2][1]),
	}.Hook()

	accounts := make(map[string]string) // by sub
	for _, test := range []struct {
		name, sub, email string
		refused          bool
	}{
		{"a new agent", "anne", "anne@example.gouv.fr", false},
		{"another", "paul", "paul@example.gouv.fr", false},
		{"again, with an address that another account has", "paul", "anne@example.gouv.fr", false},
		{"a new agent with the address of another account", "lea", "Anne@example.gouv.fr", true},
		{"a new agent with the address of an account without a sub", "jean", "former@example.gouv.fr", true},
		{"no address", "ines", "", false},
		{"no address either", "karim", "", false},
	} {
		login := &agentconnect.Login{Agent: agentconnect.Agent{Sub: test.sub, Email: test.email}, Request: httptest.NewRequest("GET", "/callback", nil)}
		err := hook(t.Context(), login)
		refused := err != nil && err.Error() == agentconnect.RefuseLogin(agentconnect.Reason{}).Error()
		switch {
		case refused != test.refused, err != nil && !refused:
			t.Errorf("%s: got %v, want refused %t", test.name, err, test.refused)
		case refused:
		case login.Account == "", accounts[test.sub] != "" && accounts[test.sub] != login.Account:
			t.Errorf("%s: got the account %q after %q, want one that stays", test.name, login.Account, accounts[test.sub])
		}
		accounts[test.sub] = login.Account
	}
}
