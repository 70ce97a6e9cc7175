package bench

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/turnout-events/turnout/internal/groupcommit"
)

// byHandSchema is the least that keeps what Turnout promises of one event: each
// key once, a key for each person that can be destroyed, deliveries in their
// order, and places that are taken in the same transaction.
const byHandSchema = `
CREATE TABLE seats (pool TEXT PRIMARY KEY, most INTEGER NOT NULL, taken INTEGER NOT NULL, CHECK (taken <= most)) WITHOUT ROWID;
INSERT INTO seats VALUES ('std', 100000000, 0), ('tour', 100000000, 0);
CREATE TABLE people (person BLOB PRIMARY KEY, wrapped BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE registrations (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, fingerprint BLOB NOT NULL, person BLOB NOT NULL,
  sealed BLOB, due INTEGER, at INTEGER NOT NULL);
CREATE INDEX registrations_person ON registrations (person);
CREATE INDEX registrations_due ON registrations (due) WHERE due IS NOT NULL;`

// errThere says that a key or a person is there already.
var errThere = errors.New("is there already")

// written is what a registration is by the time that it is written.
type written struct {
	key                                  string
	pools                                []string
	person, wrapped, fingerprint, sealed []byte
}

// byHand is one event's form in one file, with nothing in it that another event
// could need: validation, sealing, seats and idempotency, over the same group commit.
// It does less than Turnout where that is seldom needed: a repeated key and a known
// person are refused, and a full event fails the whole batch. So it tells what the
// promises cost at the least from what the product around them costs.
func byHand(dir string) (http.Handler, error) {
	ctx := context.Background()
	conn, err := durable(ctx, filepath.Join(dir, "byhand.db"), byHandSchema, "cache_size(-8192)")
	if err != nil {
		return nil, err
	}
	w, err := byHandWriter(ctx, conn)
	if err != nil {
		return nil, err
	}
	go w.Run()
	master, err := gcm()
	if err != nil {
		return nil, err
	}
	secret := rand.Text()
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(rw, r.Body, 64<<10)
		if err := r.ParseForm(); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		f := r.PostForm
		for _, name := range []string{"key", "first_name", "last_name", "email", "ticket", "answers.diet"} {
			if v := strings.TrimSpace(f.Get(name)); v == "" || len(v) > 200 {
				http.Error(rw, name, http.StatusUnprocessableEntity)
				return
			}
		}
		row, err := sealed(master, secret, f)
		if err == nil {
			err = w.Do(r.Context(), row)
		}
		if err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		token := mac(secret, "token", row.key)[:16]
		rw.Header().Set("Cache-Control", "no-store")
		rw.Header().Set("Location", "/registrations/"+hex.EncodeToString(token))
		rw.WriteHeader(http.StatusSeeOther)
	}), nil
}

// sealed seals what was typed under a new key of the person's own.
func sealed(master cipher.AEAD, secret string, f map[string][]string) (*written, error) {
	plain, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	own := make([]byte, 32)
	_, _ = rand.Read(own)
	block, err := aes.NewCipher(own)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	row := &written{key: f["key"][0], pools: append(f["agenda"], f["ticket"]...), person: mac(secret, "person", strings.ToLower(f["email"][0]))}
	row.fingerprint = mac(secret, "fingerprint", string(plain))[:16]
	row.wrapped = master.Seal(nil, nil, own, row.person)
	row.sealed = aead.Seal(nil, nil, plain, []byte(row.key))
	return row, nil
}

func byHandWriter(ctx context.Context, conn *sql.Conn) (*groupcommit.Writer[*written], error) {
	var statements []*sql.Stmt
	for _, text := range []string{
		"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK", "UPDATE seats SET taken = taken + ?1 WHERE pool = ?2", "INSERT INTO people VALUES (?, ?) ON CONFLICT DO NOTHING",
		"INSERT INTO registrations (key, fingerprint, person, sealed, due, at) VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT (key) DO NOTHING",
	} {
		s, err := conn.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		statements = append(statements, s)
	}
	begin, commit, rollback, take, person, insert := statements[0], statements[1], statements[2], statements[3], statements[4], statements[5]
	return groupcommit.New(func(rows []*written) []error {
		_, err := begin.ExecContext(ctx)
		errs, taken := make([]error, len(rows)), map[string]int64{}
		for i, r := range rows {
			var known, again bool
			if err == nil {
				known, err = none(person.ExecContext(ctx, r.person, r.wrapped))
			}
			if err == nil && !known {
				again, err = none(insert.ExecContext(ctx, r.key, r.fingerprint, r.person, r.sealed, time.Now().UnixMilli()))
			}
			if known || again {
				errs[i] = errThere
				continue
			}
			for _, pool := range r.pools {
				taken[pool]++
			}
		}
		for pool, n := range taken {
			if err == nil {
				_, err = take.ExecContext(ctx, n, pool)
			}
		}
		if err == nil {
			_, err = commit.ExecContext(ctx)
		}
		if err == nil {
			return errs
		}
		_, _ = rollback.ExecContext(ctx)
		for i := range errs {
			errs[i] = err
		}
		return errs
	}, groupcommit.Options{}), nil
}

// none reports whether a statement changed nothing.
func none(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 0, err
}

func gcm() (cipher.AEAD, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// mac is a keyed hash for one purpose.
func mac(secret, purpose, text string) []byte {
	h := hmac.New(sha256.New, []byte(secret+purpose))
	h.Write([]byte(text))
	return h.Sum(nil)
}
