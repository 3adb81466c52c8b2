package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// systemNamespace is Herald's in config/; chart and bundle go where they are
// installed.
const systemNamespace = "herald-system"

type object = *unstructured.Unstructured

func readObjects(in io.Reader) ([]object, error) {
	decoder := utilyaml.NewYAMLOrJSONDecoder(in, 4096)
	var objects []object
	for {
		o := &unstructured.Unstructured{}
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

func readFile(path string) ([]object, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readObjects(file)
}

// find is the object of a kind and name; there must be one.
func find(objects []object, kind, name string) (object, error) {
	at := slices.IndexFunc(objects, func(o object) bool { return o.GetKind() == kind && o.GetName() == name })
	if at < 0 {
		return nil, fmt.Errorf("there is no %s %s in config/default", kind, name)
	}
	return objects[at].DeepCopy(), nil
}

// ofKinds are the objects of these kinds, in their order.
func ofKinds(objects []object, kinds ...string) []object {
	return slices.DeleteFunc(slices.Clone(objects), func(o object) bool { return !slices.Contains(kinds, o.GetKind()) })
}

// documents are objects as YAML documents.
func documents(objects []object) ([]byte, error) {
	var text bytes.Buffer
	for i, o := range objects {
		if i > 0 {
			text.WriteString("---\n")
		}
		content, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, err
		}
		text.Write(content)
	}
	return text.Bytes(), nil
}

// writeYAML writes a value with the note that it is made.
func writeYAML(path string, value any) error {
	content, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	return writeFile(path, content)
}

const made = "# Made of config/ by `make packages`: change it there.\n"

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append([]byte(made), content...), 0o644)
}

// compare says how the objects differ from those in a file, but for some of them,
// named KIND/NAME.
func compare(objects []object, path string, but []string) error {
	others, err := readFile(path)
	if err != nil {
		return err
	}
	index := func(objects []object) map[string]string {
		texts := map[string]string{}
		for _, o := range objects {
			if slices.Contains(but, o.GetKind()+"/"+o.GetName()) {
				continue
			}
			content, err := yaml.Marshal(o.Object)
			if err != nil {
				content = []byte(err.Error())
			}
			texts[strings.Join([]string{o.GetKind(), o.GetNamespace(), o.GetName()}, "/")] = string(content)
		}
		return texts
	}
	here, there := index(objects), index(others)
	var differ []string
	for name, text := range here {
		switch other, both := there[name]; {
		case !both:
			differ = append(differ, name+" is only on the standard input")
		case text != other:
			differ = append(differ, fmt.Sprintf("%s differs:\n--- standard input\n%s--- %s\n%s", name, text, path, other))
		}
	}
	for name := range there {
		if _, both := here[name]; !both {
			differ = append(differ, name+" is only in "+path)
		}
	}
	if len(differ) > 0 {
		slices.Sort(differ)
		return errors.New(strings.Join(differ, "\n"))
	}
	return nil
}
