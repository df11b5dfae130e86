// Package enforcer is the node agent: it makes a node filter what it was told.
//
// It takes ordered policies and the node's pods, through HTTP on a unix
// socket, and gives the datapath one State: which lists stand in series on
// which device, and which address is whose. Counters, log events and metrics
// go back out the same way. It must not parse IOS syntax (the text that came
// with the policies is opaque), speak to a cluster, or touch the kernel other
// than through the datapath.
//
//	PUT /v1/policies ----> validate -> number identities -> plan (pure)
//	PUT /v1/endpoints -->              a device comes or goes ---^   |
//	                                                                 |
//	             stage on disk, compile <----------------------------+
//	                           |
//	                datapath.ApplyWhen -> keep on disk -> answer
//
// Whatever fails on that road leaves the old state in force, in the kernel and
// on disk. Enforcement needs no agent; a restarted one reads its state file
// and applies it again, which changes nothing.
//
//	err := enforcer.Run(ctx, enforcer.Options{
//		Socket: "/run/aclium/enforcer.sock", State: "/var/lib/aclium",
//		Pin: "/sys/fs/bpf/aclium", Node: "worker-1", Log: slog.Default(),
//	})
package enforcer
