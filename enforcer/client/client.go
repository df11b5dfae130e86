package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"aclium/translate/policy"
)

// DefaultSocket is where an agent listens when nobody says otherwise.
const DefaultSocket = "/run/aclium/enforcer.sock"

var (
	// ErrConflict says that the desired state has another revision than the
	// writer believed: read it again, merge, and write again.
	ErrConflict = errors.New("the configuration was changed by somebody else")
	// ErrUnfinished says that a change is in force and the agent could not do
	// all that follows it. The agent goes on trying.
	ErrUnfinished = errors.New("the enforcer has not finished")
	// ErrNoAgent says that nobody listens on the socket.
	ErrNoAgent = errors.New("no enforcer")
)

// A Client speaks to one agent. It is safe for concurrent use.
type Client struct {
	socket string
	http   *http.Client
}

// Dial checks that an agent listens on the socket. The error wraps ErrNoAgent
// when none does, and fs.ErrPermission when the socket is not ours to use.
func Dial(socket string) (*Client, error) {
	conn, err := net.DialTimeout("unix", socket, 5*time.Second)
	if err != nil {
		return nil, explain(socket, err)
	}
	conn.Close()
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	return &Client{socket: socket, http: &http.Client{Transport: transport}}, nil
}

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Desired gives what the agent enforces, with the text it came from.
func (c *Client) Desired(ctx context.Context) (Desired, error) {
	var d Desired
	err := c.call(ctx, http.MethodGet, "/v1/policies", nil, &d)
	return d, err
}

// Put replaces the desired state as a whole and gives its revision. d.Revision
// is the revision that the writer last saw; the error is ErrConflict when it
// is not the current one, and ErrUnfinished when the new state is in force all
// the same. After any other error the old state is in force.
func (c *Client) Put(ctx context.Context, d Desired) (revision uint64, err error) {
	if d.Policies == nil {
		d.Policies = []policy.Policy{}
	}
	var answer struct {
		Revision uint64 `json:"revision"`
		changed
	}
	body, err := d.JSON()
	if err != nil {
		return 0, fmt.Errorf("encode the policies: %w", err)
	}
	if err = c.call(ctx, http.MethodPut, "/v1/policies", encoded(body), &answer); err == nil {
		err = answer.err()
	}
	return answer.Revision, err
}

// changed is the answer to a change that is in force.
type changed struct {
	Unfinished string `json:"unfinished"`
}

func (c changed) err() error {
	if c.Unfinished == "" {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrUnfinished, c.Unfinished)
}

// replace puts a set that has no revision.
func (c *Client) replace(ctx context.Context, path string, set any) error {
	var answer changed
	if err := c.call(ctx, http.MethodPut, path, set, &answer); err != nil {
		return err
	}
	return answer.err()
}

// Endpoints gives the pods that the agent knows.
func (c *Client) Endpoints(ctx context.Context) ([]Endpoint, error) {
	var endpoints []Endpoint
	err := c.call(ctx, http.MethodGet, "/v1/endpoints", nil, &endpoints)
	return endpoints, err
}

// PutEndpoints replaces the set of pods as a whole. Its errors are Put's.
func (c *Client) PutEndpoints(ctx context.Context, endpoints []Endpoint) error {
	if endpoints == nil {
		endpoints = []Endpoint{}
	}
	return c.replace(ctx, "/v1/endpoints", endpoints)
}

// Services gives the services that the agent knows.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	var services []Service
	err := c.call(ctx, http.MethodGet, "/v1/services", nil, &services)
	return services, err
}

// PutServices replaces the set of services as a whole. Its errors are Put's.
func (c *Client) PutServices(ctx context.Context, services []Service) error {
	if services == nil {
		services = []Service{}
	}
	return c.replace(ctx, "/v1/services", services)
}

// Names gives the addresses of the world that the agent has learned, with the
// names that name servers told for them.
func (c *Client) Names(ctx context.Context) ([]NamedAddress, error) {
	var named []NamedAddress
	err := c.call(ctx, http.MethodGet, "/v1/names", nil, &named)
	return named, err
}

// Policers gives what the classes with police let pass and dropped.
func (c *Client) Policers(ctx context.Context) ([]policy.PoliceCounter, error) {
	var policers []policy.PoliceCounter
	err := c.call(ctx, http.MethodGet, "/v1/policers", nil, &policers)
	return policers, err
}

// Reflected gives the temporary entries of reflexive lists.
func (c *Client) Reflected(ctx context.Context) ([]policy.Reflected, error) {
	var entries []policy.Reflected
	err := c.call(ctx, http.MethodGet, "/v1/reflexive", nil, &entries)
	return entries, err
}

// Counters gives the counter of every line on every subject and direction.
func (c *Client) Counters(ctx context.Context) ([]policy.Counter, error) {
	var counters []policy.Counter
	err := c.call(ctx, http.MethodGet, "/v1/counters", nil, &counters)
	return counters, err
}

// Clear sets the counters of one list to zero, or of all lists when acl is "".
func (c *Client) Clear(ctx context.Context, acl string) error {
	path := "/v1/counters"
	if acl != "" {
		path += "?acl=" + url.QueryEscape(acl)
	}
	return c.call(ctx, http.MethodDelete, path, nil, nil)
}

// Drops gives what the node dropped without a line deciding it.
func (c *Client) Drops(ctx context.Context) ([]Drop, error) {
	var drops []Drop
	err := c.call(ctx, http.MethodGet, "/v1/drops", nil, &drops)
	return drops, err
}

// Health gives the agent's state; Health.Error says what it cannot do, while
// the error says that it cannot be asked.
func (c *Client) Health(ctx context.Context) (Health, error) {
	response, err := c.send(ctx, http.MethodGet, "/healthz", nil)
	if err != nil {
		return Health{}, err
	}
	defer response.Body.Close()
	var h Health
	if err := json.NewDecoder(response.Body).Decode(&h); err != nil {
		return Health{}, fmt.Errorf("read the enforcer's health at %s: %w", c.socket, err)
	}
	return h, nil
}

// Log gives the newest events that the agent remembers, oldest first.
func (c *Client) Log(ctx context.Context) ([]policy.Event, error) {
	var events []policy.Event
	err := c.call(ctx, http.MethodGet, "/v1/log", nil, &events)
	return events, err
}

// Events calls f with every packet that a line with "log" decides, until ctx
// ends (nil) or the agent goes away (an error).
func (c *Client) Events(ctx context.Context, f func(policy.Event)) error {
	response, err := c.send(ctx, http.MethodGet, "/v1/events", nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refusal(response)
	}
	for d := json.NewDecoder(bufio.NewReader(response.Body)); ; {
		var e policy.Event
		if err := d.Decode(&e); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("the enforcer at %s ended the events: %w", c.socket, err)
		}
		f(e)
	}
}

func (c *Client) call(ctx context.Context, method, path string, body, answer any) error {
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		return refusal(response)
	}
	if answer == nil || response.StatusCode == http.StatusNoContent {
		_, err = io.Copy(io.Discard, response.Body)
		return err
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("read the enforcer's answer at %s: %w", c.socket, err)
	}
	return nil
}

// encoded is a body that is JSON already.
type encoded []byte

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var reader io.Reader
	if body != nil {
		b, whole := body.(encoded)
		if !whole {
			var err error
			if b, err = json.Marshal(body); err != nil {
				return nil, err
			}
		}
		reader = bytes.NewReader(b)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://enforcer"+path, reader)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return nil, explain(c.socket, err)
	}
	return response, nil
}

// refusal gives the error of an answer, in the agent's own words.
func refusal(response *http.Response) error {
	var answer struct {
		Error string `json:"error"`
	}
	b, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if json.Unmarshal(b, &answer) != nil || answer.Error == "" {
		answer.Error = "the enforcer answered " + response.Status
	}
	if response.StatusCode == http.StatusConflict {
		return fmt.Errorf("%w: %s", ErrConflict, answer.Error)
	}
	return errors.New(answer.Error)
}

// explain says what to do about a socket that does not answer.
func explain(socket string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("the enforcer at %s is not yours to use, try again as root: %w", socket, fs.ErrPermission)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w at %s: start one with 'aclium enforcer --socket %s'", ErrNoAgent, socket, socket)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the enforcer at %s did not answer: %w", socket, err)
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	return fmt.Errorf("speak to the enforcer at %s: %w", socket, err)
}
