// Package client speaks to a node agent over its unix socket.
//
// It takes the path of a socket and gives what the agent knows: the desired
// policies with the text they were compiled from, endpoints, counters, log
// events. It also declares the types that travel over that socket, which the
// agent shares. It carries and never decides: it knows nothing of IOS syntax,
// kernels or files other than the socket.
//
//	c, err := client.Dial(client.DefaultSocket)   // says how to start an agent when none listens
//	d, err := c.Desired(ctx)
//	d.Policies, d.Source = policies, text
//	d.Revision, err = c.Put(ctx, d)               // ErrConflict when somebody else was faster
//	counters, err := c.Counters(ctx)
package client
