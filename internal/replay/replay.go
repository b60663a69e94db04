// Package replay keeps the cookies and the page that the application's login hook added
// to an answer, so that a lost answer can be given again. The data is kept beside the
// session, sealed with the session's token, which the store does not know: a reader of
// the store cannot use the application's cookies. It also remembers the new sessions
// that a login of another tab has replaced.
package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/agentconnect-go/agentconnect/internal/records"
	"github.com/agentconnect-go/agentconnect/internal/seal"
)

// An Answer is the part of an answer that the hook added.
type Answer struct {
	ReturnTo string   `json:"return_to"`
	Cookies  []string `json:"cookies"` // lines of Set-Cookie
}

// name names the record of an answer, and the purpose of its seal.
func name(token string) string { return "answer " + token }

// Keep keeps the answer of the login that made the session with this token.
func Keep(ctx context.Context, store records.Store, token string, answer Answer, expires time.Time) error {
	sealer, err := seal.New("answer", name(token))
	if err != nil {
		return err
	}
	plain, _ := json.Marshal(answer) // never fails
	if err := store.CommitCtx(ctx, name(token), sealer.SealBytes(plain, ""), expires); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// Find returns the answer that Keep kept, or the zero Answer.
func Find(ctx context.Context, store records.Store, token string) (answer Answer, err error) {
	record, found, err := store.FindCtx(ctx, name(token))
	if err != nil {
		return answer, fmt.Errorf("session store: %w", err)
	}
	if !found {
		return answer, nil
	}
	sealer, err := seal.New("answer", name(token))
	if err != nil {
		return answer, err
	}
	if plain, ok := sealer.OpenBytes(record, ""); ok {
		json.Unmarshal(plain, &answer) // of another version: nothing
	}
	return answer, nil
}

// replacedName names the record that says that a session was replaced.
func replacedName(token string) string { return "replaced " + token }

// replacedFor is longer than the answer of a login takes to arrive.
const replacedFor = time.Minute

// Replace deletes the session with this token, because the same browser logs in again. If
// the session is new, Replace remembers that: until the answer arrives, another tab can
// still send the token.
func Replace(ctx context.Context, store records.Store, token string, isNew bool, now time.Time) error {
	ctx = context.WithoutCancel(ctx)
	var err error
	if isNew {
		err = store.CommitCtx(ctx, replacedName(token), []byte("replaced"), now.Add(replacedFor))
	}
	if err := errors.Join(err, store.DeleteCtx(ctx, token)); err != nil {
		return fmt.Errorf("session store: %w", err)
	}
	return nil
}

// IsReplaced reports whether a login of the same browser replaced the session a moment ago.
func IsReplaced(ctx context.Context, store records.Store, token string) bool {
	_, found, err := store.FindCtx(ctx, replacedName(token))
	return found && err == nil
}
