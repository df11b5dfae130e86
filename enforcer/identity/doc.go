// Package identity numbers label sets, so that a kernel table can speak of
// pods by a number.
//
// It takes the pods' label sets and gives each distinct set one number that
// stays the same for as long as somebody has those labels. Numbers below 256
// are reserved, with Cilium's meanings; the others are given out in turn, so
// that a number which was just given up does not at once mean somebody else.
// It knows nothing of policies and keeps nothing by itself: its state is plain
// data that the agent stores.
//
//	next, err := table.Assign([]map[string]string{{"app": "web"}, {"app": "db"}})
//	id, ok := next.Number(map[string]string{"app": "web"})   // 256
package identity
