package enforcer

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"aclium/enforcer/client"
	"aclium/enforcer/datapath"
	"aclium/enforcer/identity"
	"aclium/translate/policy"
)

// record is everything that an agent must remember over a restart.
type record struct {
	client.Desired
	Endpoints  []client.Endpoint `json:"endpoints"`
	Services   []client.Service  `json:"services,omitempty"`
	Identities identity.Table    `json:"identities"`
	// encoded is the JSON of Policies, or nil where it is not at hand.
	encoded json.RawMessage
	// ports are what Services say, as the datapath takes it.
	ports []datapath.Service
}

const stateFile = "state.json"

// stateHead begins the state file: the format's version, the payload's SHA-256
// and its length in bytes. A file that was cut or changed does not fit its head.
const stateHead = "aclium state 1 %x %d\n"

// errNoState says that nothing was ever stored.
var errNoState = errors.New("no state is stored")

// A store keeps a record in a directory, in a file that is replaced whole.
type store struct{ dir string }

// openStore makes the directory and takes it for this process alone. The lock
// ends with the process.
func openStore(dir string) (*store, *os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make the state directory: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "lock"))
	if errors.Is(err, errLocked) {
		return nil, nil, fmt.Errorf("the state directory %s belongs to another enforcer, which is running: %w", dir, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("take the state directory: %w", err)
	}
	return &store{dir}, lock, nil
}

func (s *store) path() string { return filepath.Join(s.dir, stateFile) }

// load reads the record. The error is errNoState when there is no file; any
// other error means that the file cannot be trusted.
func (s *store) load() (record, error) {
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, errNoState
	}
	if err != nil {
		return record{}, fmt.Errorf("read the state: %w", err)
	}
	r, err := decodeRecord(b)
	if err != nil {
		return record{}, fmt.Errorf("%s is damaged (%w): what is in the kernel stays in force; "+
			"restore the file, or move it away after 'aclium enforcer --remove' to begin without policies", s.path(), err)
	}
	return r, nil
}

// stage writes the record beside the file and makes sure that it is on the
// disk. Then commit is a rename, or discard forgets it.
func (s *store) stage(r record) (*staged, error) {
	g := s.begin(r)
	return g, g.ready()
}

// begin stages the record beside what the caller does.
func (s *store) begin(r record) *staged {
	g := &staged{path: s.path(), done: make(chan struct{})}
	f, err := os.CreateTemp(s.dir, stateFile+".*")
	if err != nil {
		g.err = fmt.Errorf("write the state: %w", err)
		close(g.done)
		return g
	}
	g.temporary = f.Name()
	go func() {
		defer close(g.done)
		if err := errors.Join(writeRecord(f, r), f.Close()); err != nil {
			g.err = fmt.Errorf("write the state: %w", err)
		}
	}()
	return g
}

func writeRecord(f *os.File, r record) error {
	parts, err := encodeRecord(r)
	if err != nil {
		return err
	}
	for _, part := range parts {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	return f.Sync()
}

// sweep removes what a killed agent had staged.
func (s *store) sweep() {
	old, _ := filepath.Glob(filepath.Join(s.dir, stateFile+".*"))
	for _, name := range old {
		os.Remove(name)
	}
}

// staged is a record on its way to the disk, in a file beside that of the state.
type staged struct {
	temporary, path string
	done            chan struct{}
	err             error // when done
}

// ready waits until the record is on the disk. After an error nothing of it is
// left.
func (s *staged) ready() error {
	<-s.done
	if s.err != nil {
		s.remove()
	}
	return s.err
}

func (s *staged) discard() {
	<-s.done
	s.remove()
}

func (s *staged) remove() {
	if s.temporary != "" {
		os.Remove(s.temporary)
		s.temporary = ""
	}
}

// commit makes the staged record the stored one. After an error the old one
// is still stored.
func (s *staged) commit() error {
	if err := s.ready(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(s.path))
	if err == nil {
		defer dir.Close()
		err = os.Rename(s.temporary, s.path)
	}
	if err != nil {
		s.discard()
		return fmt.Errorf("keep the state: %w", err)
	}
	// The rename is done and visible; only a power cut, which ends
	// enforcement as well, could still take it back.
	_ = dir.Sync()
	return nil
}

// encodeRecord gives the parts of a state file. They are not joined: policies
// may be of many megabytes.
func encodeRecord(r record) (parts [][]byte, err error) {
	payload, err := encodePayload(r)
	if err != nil {
		return nil, err
	}
	sum, size := sha256.New(), 0
	for _, part := range payload {
		sum.Write(part)
		size += len(part)
	}
	return append([][]byte{fmt.Appendf(nil, stateHead, sum.Sum(nil), size)}, payload...), nil
}

// encodePayload takes the policies' JSON where it is at hand.
func encodePayload(r record) (parts [][]byte, err error) {
	policies := []byte(r.encoded)
	if policies == nil {
		if policies, err = policy.AppendJSON(nil, r.Policies); err != nil {
			return nil, err
		}
	}
	r.Policies = nil
	object, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	before, behind, err := client.AroundPolicies(object)
	return [][]byte{before, policies, behind}, err
}

func decodeRecord(b []byte) (record, error) {
	head, payload, ok := bytes.Cut(b, []byte("\n"))
	if !ok {
		return record{}, errors.New("the first line is not whole")
	}
	if want := fmt.Sprintf(stateHead, sha256.Sum256(payload), len(payload)); string(head)+"\n" != want {
		return record{}, errors.New("the first line does not fit the rest")
	}
	var r record
	if err := decodeStrict(bytes.NewReader(payload), &r); err != nil {
		return record{}, err
	}
	r.ports = portsOf(r.Services)
	return r, r.validate()
}

// validate reports what makes a record meaningless, whoever wrote it.
func (r *record) validate() error {
	if err := validatePolicies(r.Policies); err != nil {
		return err
	}
	if err := validateEndpoints(r.Endpoints); err != nil {
		return err
	}
	if err := validateServices(r.Services, r.Endpoints); err != nil {
		return err
	}
	if err := r.validatePorts(); err != nil {
		return err
	}
	return r.Identities.Validate()
}
