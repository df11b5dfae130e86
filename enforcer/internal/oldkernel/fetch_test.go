package main

import (
	"strings"
	"testing"
)

func TestMirrorsOfAnotherRelease(t *testing.T) {
	uris := `'http://mirror.test/debian/dists/bookworm/InRelease' mirror.test_debian_dists_bookworm_InRelease 0
'http://mirror.test/debian/dists/bookworm-updates/InRelease' mirror.test_debian_dists_bookworm-updates_InRelease 0
'http://mirror.test/debian-security/dists/bookworm-security/InRelease' mirror.test_debian-security_dists_bookworm-security_InRelease 0
'http://mirror.test/debian/dists/bookworm/InRelease' mirror.test_debian_dists_bookworm_InRelease 0
'https://other.test/node/dists/nodistro/InRelease' other.test_node_dists_nodistro_InRelease 0
`
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(sourcesOf(uris, "bullseye")), "\n") {
		words := strings.Fields(line) // deb, perhaps who signs, and the rest
		got = append(got, strings.Join(words[len(words)-3:], " "))
	}
	want := "http://mirror.test/debian-security/ bullseye-security main, http://mirror.test/debian/ bullseye main"
	if s := strings.Join(got, ", "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if s := sourcesOf("'https://other.test/dists/nodistro/InRelease' x 0", "bullseye"); s != "" {
		t.Errorf("%q is no mirror of Debian", s)
	}
}

func TestNewestKernelIsTaken(t *testing.T) {
	names := []string{
		"linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-49-cloud-amd64", "linux-image-6.1.0-50-amd64",
		"linux-image-6.1.0-51-cloud-amd64-unsigned", "linux-image-6.1.0-52-cloud-arm64", "linux-image-cloud-amd64",
	}
	if got := newestCloud(names); got != "linux-image-6.1.0-49-cloud-amd64" {
		t.Errorf("got %q", got)
	}
}
