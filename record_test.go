package agentconnect_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/agentconnect-go/agentconnect"
	"github.com/agentconnect-go/agentconnect/agentconnecttest"
)

// recordHeader is the length of a record's fixed fields.
const recordHeader = 1 + 8 + 8 + 8 + 16 + 4 + 16 + 4 + 4

// newRecord returns the record of an agent with these claims, as JSON.
func newRecord(t testing.TB, claims, idToken string) agentconnect.SessionRecord {
	t.Helper()
	var agent agentconnect.Agent
	if err := json.Unmarshal([]byte(claims), &agent); err != nil {
		t.Fatalf("claims %.80s: %v", claims, err)
	}
	return agentconnect.SessionRecord{
		Agent:   agent,
		Created: time.Unix(1_790_000_000, 0),
		Expires: time.Unix(1_790_043_200, 0),
		Login:   [16]byte{0, 1, 2, 255},
		IDToken: idToken,
		Account: "42",

		IdleTimeout: 20 * time.Minute,
		SeenKey:     [16]byte{255, 3: 1, 15: 7},
	}
}

const everyClaim = `{"sub":"s","given_name":"Zoé Maëlle","usual_name":"D’Œil <b>","email":"z@prefecture.example.gouv.fr","uid":"u",
	"siret":"00000001800010","siren":"000000018","phone_number":"+33 1 99 00 00 01","organizational_unit":"A/B","belonging_population":"agent",
	"chorusdt:matricule":"m","chorusdt:societe":"c","idp_id":"i","idp_acr":"eidas1","organization_label":"Préfecture","acr":"eidas2",
	"roles":["agent_public","agent_public_etat"],"amr":["pwd","otp","mfa"],"auth_time":1790000000,"custom":{"n":12.50,"list":[1,null,"é"]},"other":false}`

// records are the records that the tests of the encoding go through.
func records(t testing.TB) map[string]agentconnect.SessionRecord {
	return map[string]agentconnect.SessionRecord{
		"only a sub":              newRecord(t, `{"sub":"s"}`, "header.payload.signature"),
		"every claim":             newRecord(t, everyClaim, strings.Repeat("t", 900)),
		"no ID token":             newRecord(t, everyClaim, ""),
		"control characters":      newRecord(t, `{"sub":"a\u0000b\n","roles":["","\u0000"]}`, "\x00\x01"),
		"lengths of two bytes":    newRecord(t, `{"sub":"s","email":"`+strings.Repeat("e", 128)+`","uid":"`+strings.Repeat("u", 127)+`"}`, "t"),
		"more than 64 KiB":        newRecord(t, `{"sub":"s","custom":{"x":"`+strings.Repeat("x", 70_000)+`"}}`, "t"),
		"three hundred roles":     newRecord(t, `{"sub":"s","roles":["r"`+strings.Repeat(`,"r"`, 299)+`]}`, "t"),
		"auth_time before 1970":   newRecord(t, `{"sub":"s","auth_time":-1}`, "t"),
		"a sub like a record's":   newRecord(t, `{"sub":"`+strings.Repeat(`\u0001`, 64)+`"}`, "t"),
		"an ID token like texts":  newRecord(t, `{"sub":"s"}`, strings.Repeat("\x01a", 64)),
		"claims that are empty":   newRecord(t, `{"sub":"s","given_name":"","acr":"","email":null,"roles":[],"amr":[],"custom":{}}`, "t"),
		"claims that are null":    newRecord(t, `{"sub":"s","given_name":null,"roles":null,"amr":null,"custom":null}`, "t"),
		"a session of the future": {Agent: agentconnect.Agent{Sub: "s"}, Created: time.Unix(1<<40, 0), Expires: time.Unix(1<<41, 0)},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for name, want := range records(t) {
		t.Run(name, func(t *testing.T) {
			record := want.Encode()
			got, err := agentconnect.DecodeSessionRecord(record)
			if err != nil {
				t.Fatalf("got error %v, want the record back", err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %d roles and claims %v, want %d roles and %v, or another field differs", len(got.Agent.Roles), got.Agent.Claims(), len(want.Agent.Roles), want.Agent.Claims())
			}
			if again := got.Encode(); !bytes.Equal(again, record) {
				t.Error("got another record for what was decoded, want the same bytes")
			}
		})
	}
}

// What a store keeps of an agent must not change when the store's memory does.
func TestRecordSharesNoMemory(t *testing.T) {
	want := newRecord(t, everyClaim, "t")
	record := want.Encode()
	got, err := agentconnect.DecodeSessionRecord(record)
	if err != nil {
		t.Fatal(err)
	}
	clear(record)
	if !reflect.DeepEqual(got.Agent, want.Agent) {
		t.Errorf("got claims %v after the record was overwritten, want %v", got.Agent.Claims(), want.Agent.Claims())
	}
}

func TestRecordTruncated(t *testing.T) {
	for name, whole := range records(t) {
		t.Run(name, func(t *testing.T) {
			record := whole.Encode()
			texts := len(record) - len(whole.IDToken) // where the ID token begins
			for n := range len(record) {
				if n > 4096 && n < texts-4096 {
					continue // within one long text, every length says the same
				}
				got, err := agentconnect.DecodeSessionRecord(record[:n:n])
				if n < texts {
					if err == nil {
						t.Fatalf("%d of %d bytes: got no error, want one", n, len(record))
					}
					continue
				}
				// The ID token is the rest, whose length nothing says.
				if err != nil || !reflect.DeepEqual(got.Agent, whole.Agent) || !strings.HasPrefix(whole.IDToken, got.IDToken) {
					t.Fatalf("%d of %d bytes: got error %v, want the agent and a part of the ID token", n, len(record), err)
				}
			}
		})
	}
}

func TestRecordOfAnotherVersion(t *testing.T) {
	record := newRecord(t, everyClaim, "t").Encode()
	current := record[0]
	for version := range 256 {
		record[0] = byte(version)
		_, err := agentconnect.DecodeSessionRecord(record)
		if known := byte(version) == current; (err == nil) != known {
			t.Errorf("version %d: got error %v, want one unless it is %d", version, err, current)
		}
	}
}

// A length or a count that leads out of the record is refused before anything
// is allocated for it.
func TestRecordWithForgedLengths(t *testing.T) {
	fixed := newRecord(t, `{"sub":"s"}`, "").Encode()[:recordHeader-4]
	texts := make([]byte, 18) // sixteen texts, the account and the extra, all empty
	forge := func(length uint32, parts ...[]byte) []byte {
		return append(binary.BigEndian.AppendUint32(bytes.Clone(fixed), uint32(length)), bytes.Join(parts, nil)...)
	}
	tests := map[string]struct {
		record []byte
		ok     bool
	}{
		"nothing is forged":                {forge(20, texts, []byte{0, 0}), true},
		"an ID token":                      {forge(20, texts, []byte{0, 0}, []byte("t")), true},
		"a list of an empty text":          {forge(21, texts, []byte{1, 0, 0}), true},
		"all is longer than the record":    {forge(21, texts, []byte{0, 0}), false},
		"all is 2^32-1 long":               {forge(1<<32-1, texts, []byte{0, 0}), false},
		"all is shorter than what follows": {forge(19, texts, []byte{0, 0}), false},
		"something after the lists":        {forge(21, texts, []byte{0, 0, 0}), false},
	}
	for at, start := range map[string][]byte{"first text": nil, "roles": texts, "amr": append(bytes.Clone(texts), 0)} {
		for name, length := range map[string][]byte{
			"one too many":       {1},
			"2^31":               binary.AppendUvarint(nil, 1<<31),
			"2^63-1":             binary.AppendUvarint(nil, 1<<63-1),
			"2^64-1":             binary.AppendUvarint(nil, 1<<64-1),
			"more than 64 bits":  bytes.Repeat([]byte{0xff}, 11),
			"a varint cut short": {0x80},
		} {
			tests[at+", "+name] = struct {
				record []byte
				ok     bool
			}{forge(uint32(len(start)+len(length)), start, length), false}
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := agentconnect.DecodeSessionRecord(test.record); (err == nil) != test.ok {
				t.Errorf("got error %v, want one: %v", err, !test.ok)
			}
		})
	}
}

func TestRecordGarbageNeverPanics(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for name, whole := range records(t) {
		record := whole.Encode()
		if len(record) > 4096 {
			continue
		}
		refused := 0
		for range 5_000 {
			garbage := bytes.Clone(record)
			for range 1 + random.IntN(4) {
				garbage[1+random.IntN(len(garbage)-1)] = byte(random.Uint32())
			}
			got, err := agentconnect.DecodeSessionRecord(garbage)
			if err != nil {
				refused++
				continue
			}
			_ = got.Agent.Claims() // whatever was decoded can be asked for
		}
		if refused == 0 {
			t.Errorf("%s: got no garbage refused in 5000, want some", name)
		}
	}
	for range 5_000 {
		garbage := make([]byte, random.IntN(200))
		for i := range garbage {
			garbage[i] = byte(random.Uint32())
		}
		if len(garbage) > 0 {
			garbage[0] = 2
		}
		if got, err := agentconnect.DecodeSessionRecord(garbage); err == nil {
			_ = got.Agent.Claims()
		}
	}
}

// A session weighs in the store at most 1.1 times its ID token and its claims
// as JSON, and the slice that a memory store keeps has no room to spare.
func TestRecordSize(t *testing.T) {
	for _, demo := range agentconnecttest.DemoAgents() {
		t.Run(demo.Login, func(t *testing.T) {
			login := logInOnce(t, demo.Login)
			record := login.record(t)
			decoded, err := agentconnect.DecodeSessionRecord(record)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := json.Marshal(decoded.Agent)
			if err != nil {
				t.Fatal(err)
			}
			content := len(decoded.IDToken) + len(claims)
			t.Logf("the record has %d bytes, the ID token %d, the claims as JSON %d: a ratio of %.2f", len(record), len(decoded.IDToken), len(claims), float64(len(record))/float64(content))
			if got, want := len(record), content*11/10; got > want {
				t.Errorf("got a record of %d bytes, want at most %d", got, want)
			}
			if got, want := cap(record), content*11/10; got > want {
				t.Errorf("got %d bytes of memory for the record, want at most %d", got, want)
			}
		})
	}
}

// A session whose record the store garbled is no session: a new login, never an
// error.
func TestGarbledRecordIsAStranger(t *testing.T) {
	login := logInOnce(t, "marie")
	for name, garble := range map[string]func([]byte) []byte{
		"empty":           func([]byte) []byte { return nil },
		"cut short":       func(r []byte) []byte { return r[:recordHeader+3] },
		"another version": func(r []byte) []byte { return append([]byte{r[0] + 1}, r[1:]...) },
		"JSON":            func([]byte) []byte { return []byte(`{"sub":"s"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			whole := login.record(t)
			login.setRecord(t, garble(whole))
			defer login.setRecord(t, whole)
			w := newDiscardWriter()
			login.protected(nil).ServeHTTP(w, login.request())
			if w.status != http.StatusSeeOther {
				t.Errorf("got status %d, want %d, a new login", w.status, http.StatusSeeOther)
			}
		})
	}
}
