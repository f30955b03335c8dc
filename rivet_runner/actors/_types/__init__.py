"""Values and the annotations they have to fit: conversion, argument lists, and the types of states."""
