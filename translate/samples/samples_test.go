package samples

import (
	"testing"

	"aclium/translate"
	"aclium/translate/kube"
)

// TestSamplesAreMany: a judge that is asked about few objects proves little.
func TestSamplesAreMany(t *testing.T) {
	const lists = 200
	for _, target := range translate.Targets() {
		all, err := Random(target, 1, lists)
		if err != nil {
			t.Fatal(err)
		}
		bytes := 0
		for _, s := range all {
			text, err := kube.YAML(s.Objects)
			if err != nil {
				t.Fatal(err)
			}
			bytes += len(text)
		}
		t.Logf("%s: %d of %d lists have objects, of %d bytes", target.Name, len(all), lists, bytes)
		if len(all)*3 < lists {
			t.Errorf("%s: want objects of a third of the lists at least", target.Name)
		}
	}
	files, err := Examples()
	if err != nil || len(files) < 6 {
		t.Errorf("%d files of examples, %v; want 6 at least", len(files), err)
	}
}
